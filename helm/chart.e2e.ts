import { describe, expect, it } from "@jest/globals";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readInjectionFile } from "../controller/installation/injection-file.ts";
import { CHART, named, render, run } from "./testing/helm.ts";
import { PERMISSIONS } from "./permissions.ts";

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly verbs: readonly string[];
}

/** A role's rules, one line per verb, resource and name. */
function lines(where: string, rules: readonly Rule[]): string[] {
  return rules.flatMap(({ apiGroups = [], resources = [], resourceNames = [""], nonResourceURLs = [], verbs }) =>
    verbs.flatMap((verb) => [
      ...nonResourceURLs.map((path) => `path ${verb} ${path} `),
      ...apiGroups.flatMap((group) =>
        resources.flatMap((resource) => {
          const [plural = "", subresource] = resource.split("/");
          const what = `${plural}${group === "" ? "" : `.${group}`}${subresource === undefined ? "" : `/${subresource}`}`;
          return resourceNames.map((name) => `${where} ${verb} ${what} ${name}`);
        }),
      ),
    ]),
  );
}

describe("the chart", () => {
  it("has nothing that helm's linter objects to", () => {
    const { status, output } = run("helm", ["lint", CHART, "--strict"]);
    expect([status, output]).toEqual([0, expect.stringContaining("0 chart(s) failed")]);
  });

  it("grants the control plane what helm/permissions.ts gives a reason for, and nothing else", () => {
    const manifests = render();
    const role = named(manifests, "Role") as unknown as { readonly rules: readonly Rule[] };
    const clusterRole = named(manifests, "ClusterRole") as unknown as { readonly rules: readonly Rule[] };
    const granted = [...lines("cluster", clusterRole.rules), ...lines("seawall-system", role.rules)];
    const reasoned = PERMISSIONS.map(({ where, verb, what, name = "" }) => `${where} ${verb} ${what} ${name}`);
    expect(granted.toSorted()).toEqual([...new Set(reasoned)].toSorted());
  });

  it("reads no Secret but the authority's, and nothing by wildcard", () => {
    const secrets = PERMISSIONS.filter(({ what, verb }) => what === "secrets" && verb !== "create");
    expect(new Set(secrets.map(({ where, name }) => `${where} ${name ?? "any"}`))).toEqual(new Set(["seawall-system seawall-ca"]));
    expect(PERMISSIONS.filter(({ verb, what }) => verb === "*" || what.includes("*"))).toEqual([]);
  });

  it("hands values to the control plane as the MeshConfig and as what is injected", () => {
    const config = named(
      render("access.default=Audit", "trustDomain=shop.example", "tls.minVersion=1.3", "sidecar.excludeOutboundCIDRs={10.0.0.0/8}"),
      "ConfigMap",
      "seawall-config",
    ) as unknown as { readonly data: Readonly<Record<string, string>> };
    expect(JSON.parse(config.data["mesh-config.json"] ?? "")).toEqual({
      trustDomain: "shop.example",
      access: { default: "Audit" },
      tls: { minVersion: "1.3" },
    });
    const file = join(mkdtempSync(join(tmpdir(), "seawall-chart-")), "injection.json");
    writeFileSync(file, config.data["injection.json"] ?? "");
    const place = { version: "0.1.0", systemNamespace: "seawall-system", controlPlane: { host: "seawall", port: 15010 } };
    expect(readInjectionFile(file, place)).toMatchObject({
      image: "seawall/sidecar:0.1.0",
      concurrency: 2,
      farewellSeconds: 5,
      excluded: { outboundCidrs: ["10.0.0.0/8"] },
    });
  });

  it("restarts the control plane when what it reads at its start has changed", () => {
    const config = (value: string): unknown =>
      (
        named(render(value), "Deployment") as unknown as {
          readonly spec: { readonly template: { readonly metadata: { annotations: object } } };
        }
      ).spec.template.metadata.annotations;
    expect(config("access.default=Audit")).not.toEqual(config("access.default=Deny"));
    expect(config("replicas=2")).toEqual(config("replicas=3"));
  });

  it("makes its namespace, unless helm was told to", () => {
    expect(named(render(), "Namespace", "seawall-system")?.metadata.annotations).toEqual({ "helm.sh/resource-policy": "keep" });
    const { output } = run("helm", ["template", "seawall", CHART, "--kube-version", "1.35.4", "-n", "seawall-system"]);
    expect(output).not.toContain("kind: Namespace\n");
  });

  it.each([
    ["a disruption budget for a single replica", "replicas=1", "PodDisruptionBudget"],
    ["a disruption budget that nobody wants", "podDisruptionBudget.enabled=false", "PodDisruptionBudget"],
    ["a network policy that nobody wants", "networkPolicy.enabled=false", "NetworkPolicy"],
    ["a monitor that nobody asked for", "replicas=2", "ServiceMonitor"],
  ])("has no %s", (_, value, kind) => expect(named(render(value), kind)).toBeUndefined());

  it("has a monitor for Prometheus' operator where it is asked for", () => {
    expect(named(render("serviceMonitor.enabled=true"), "ServiceMonitor")).toBeDefined();
  });

  it.each([
    ["no replica", "replicas=0", "/replicas"],
    ["a default that does not exist", "access.default=Maybe", "/access/default"],
    ["a trust domain that is a URL", "trustDomain=spiffe://shop", "/trustDomain"],
    ["a value that does not exist", "sidecar.imgae=x", "imgae"],
    ["a range that is none", "sidecar.excludeOutboundCIDRs={10.0.0.1}", "/sidecar/excludeOutboundCIDRs/0"],
  ])("refuses %s, and says where", (_, value, words) => expect(() => render(value)).toThrow(words));
});
