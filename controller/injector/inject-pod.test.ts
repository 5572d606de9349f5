import { describe, expect, it } from "@jest/globals";
import { join } from "node:path";
import { parse } from "yaml";
import { expectGoldens } from "../../e2e/support/golden.ts";
import { injectPod } from "./inject-pod.ts";
import { podPatch } from "./pod-patch.ts";
import type { PodTemplate } from "./pod-template.ts";
import { SETTINGS } from "./testing/settings.ts";

const KEY = "7d3c";

interface Input {
  readonly namespace: string;
  readonly pod: PodTemplate;
}

/** The injection, with what the sidecar's bootstrap says of this pod instead of all of it. */
expectGoldens(join(import.meta.dirname, "testdata"), (text) => {
  const { pod, namespace } = parse(text) as Input;
  const injection = injectPod(pod, { namespace, farewellKey: KEY }, SETTINGS);
  if (injection.kind !== "injected") return injection;
  const args = injection.pod.spec?.initContainers?.[1]?.["args"] as string[];
  const { node, static_resources: resources } = JSON.parse(args.pop() ?? "") as Bootstrap;
  return { ...injection, bootstrap: { node, clusters: resources.clusters.map(({ name }) => name) } };
});

interface Bootstrap {
  readonly node: unknown;
  readonly static_resources: { readonly clusters: readonly { readonly name: string }[] };
}

const SHOP = { namespace: "shop", farewellKey: KEY };

const POD: PodTemplate = { metadata: { name: "app" }, spec: { containers: [{ name: "app" }] } };

const PROBED: PodTemplate = {
  metadata: { name: "app" },
  spec: { containers: [{ name: "app", livenessProbe: { httpGet: { port: 8080 } } }] },
};

function injected(pod: PodTemplate, settings = SETTINGS): PodTemplate {
  const injection = injectPod(pod, SHOP, settings);
  if (injection.kind !== "injected") throw new Error(JSON.stringify(injection));
  return injection.pod;
}

describe("an injected pod", () => {
  it("is the same the second time", () => {
    const once = injected(PROBED);
    expect(podPatch(once, injected(once))).toEqual([]);
  });

  it("is redone for what another webhook added in between", () => {
    const once = injected(PROBED);
    const late = { name: "late", readinessProbe: { httpGet: { port: 7070 } } };
    const spec = {
      ...once.spec,
      containers: [...(once.spec?.containers ?? []), late],
      initContainers: [{ name: "first" }, ...(once.spec?.initContainers ?? [])],
    };
    const twice = injected({ ...once, spec });
    expect(twice.spec?.initContainers?.map(({ name }) => name)).toEqual(["seawall-redirect", "seawall-proxy", "first"]);
    expect(twice.spec?.containers?.[1]?.readinessProbe?.httpGet).toEqual({ path: "/late/readyz", port: 15020, scheme: "HTTP" });
    const asked = JSON.parse(twice.metadata?.annotations?.["seawall.dev/probes"] ?? "") as { port: number }[];
    expect(asked.map(({ port }) => port)).toEqual([8080, 7070]);
    expect(twice.spec?.volumes).toHaveLength(1);
  });

  it("is refused when its record of probes is somebody else's", () => {
    const once = injected(PROBED);
    const forged = {
      ...once,
      metadata: { ...once.metadata, annotations: { ...once.metadata?.annotations, "seawall.dev/probes": "[{}]" } },
    };
    expect(injectPod(forged, SHOP, SETTINGS)).toMatchObject({ kind: "refused", violations: [{ reason: "Malformed" }] });
  });

  it("is not believed to be one because it says so", () => {
    const pretender: PodTemplate = {
      metadata: { name: "app", annotations: { "seawall.dev/injected": "0.1.0" } },
      spec: { initContainers: [{ name: "seawall-proxy" }], containers: [{ name: "app" }] },
    };
    expect(injectPod(pretender, SHOP, SETTINGS)).toMatchObject({
      kind: "refused",
      violations: [{ path: "spec.initContainers[0].name" }],
    });
  });

  it("keeps every field that the injector does not know", () => {
    const { metadata, spec } = injected({
      ...POD,
      spec: { ...POD.spec, dnsPolicy: "None", ephemeralContainers: [], schedulingGates: [{ name: "x" }] },
    });
    expect(metadata?.name).toBe("app");
    expect(spec).toMatchObject({ dnsPolicy: "None", ephemeralContainers: [], schedulingGates: [{ name: "x" }] });
  });

  it("keeps from its sidecar what all pods keep from theirs, and what it adds to that", () => {
    const all = { ...SETTINGS, excluded: { inboundPorts: [9100], outboundPorts: [3306], outboundCidrs: ["10.0.0.0/8"] } };
    const annotations = { "seawall.dev/exclude-outbound-ports": "5432", "seawall.dev/exclude-outbound-cidrs": "fd00::/8" };
    const redirect = injected({ ...POD, metadata: { ...POD.metadata, annotations } }, all).spec?.initContainers?.[0];
    const [rules = ""] = redirect?.["args"] as string[];
    for (const rule of ["tcp dport { 53, 3306, 5432 } accept", "ip daddr { 10.0.0.0/8 } accept", "ip6 daddr { fd00::/8 } accept"])
      expect(rules).toContain(rule);
    expect(rules).toMatch(/tcp dport \{[^}]* 9100 \} accept/);
  });

  it("has time to say farewell, or none to lose", () => {
    const preStop = (pod: PodTemplate): unknown => pod.spec?.containers?.[0]?.lifecycle?.preStop;
    expect(preStop(injected(POD))).toEqual({ sleep: { seconds: 5 } });
    expect(preStop(injected({ ...POD, spec: { ...POD.spec, terminationGracePeriodSeconds: 5 } }))).toBeUndefined();
    expect(preStop(injected(POD, { ...SETTINGS, farewellSeconds: 0 }))).toBeUndefined();
  });
});

describe("the patch of an injected pod", () => {
  it("replaces only what the injector changed", () => {
    const before: PodTemplate = { ...POD, spec: { ...POD.spec, serviceAccountName: "web" } };
    expect(podPatch(before, injected(before)).map(({ path }) => path)).toEqual([
      "/metadata/annotations",
      "/spec/containers",
      "/spec/initContainers",
      "/spec/volumes",
    ]);
  });

  it("adds metadata to a pod that has none", () => {
    expect(podPatch({ spec: {} }, { metadata: { labels: {} }, spec: {} })).toEqual([
      { op: "add", path: "/metadata", value: { labels: {} } },
    ]);
  });
});
