/** Every value of the chart: where it arrives, and that none can be mistyped. */
import { describe, expect, it } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { at, CHART, type Manifest, named, renderWith } from "./testing/helm.ts";

type Tree = Readonly<Record<string, unknown>>;

const DEFAULTS = parse(readFileSync(join(CHART, "values.yaml"), "utf8")) as Tree;

const POD = "Deployment spec.template.spec";
const CONTAINER = `${POD}.containers.0`;
const MESH = "mesh-config.json";
const INJECTION = "injection.json";

interface Arrival {
  readonly value: unknown;
  /** Kind and path of the manifest, or one of the control plane's two files and a path in it. */
  readonly where: string;
  /** What is there; the value itself unless it says so. */
  readonly as?: unknown;
}

const IMAGE = { where: `${CONTAINER}.image`, as: "r.example/plane:9.9" };
const SIDECAR_IMAGE = { where: `${INJECTION} image`, as: "r.example/car:8.8" };

/** All of them together: none is in another's way. Whatever is not of this map is a switch, with a test of its own in chart.e2e.ts. */
const ARRIVALS: Readonly<Record<string, Arrival>> = {
  "image.repository": { value: "r.example/plane", ...IMAGE },
  "image.tag": { value: "9.9", ...IMAGE },
  "image.pullPolicy": { value: "Always", where: `${CONTAINER}.imagePullPolicy` },
  imagePullSecrets: { value: [{ name: "pull" }], where: `${POD}.imagePullSecrets` },
  replicas: { value: 7, where: "Deployment spec.replicas" },
  clusterDomain: { value: "shop.internal", where: `${CONTAINER}.args.4`, as: "--cluster-domain=shop.internal" },
  "access.default": { value: "Audit", where: `${MESH} access.default` },
  trustDomain: { value: "shop.example", where: `${MESH} trustDomain` },
  "tls.minVersion": { value: "1.3", where: `${MESH} tls.minVersion` },
  "tls.postQuantum": { value: "Require", where: `${MESH} tls.postQuantum` },
  "sidecar.image.repository": { value: "r.example/car", ...SIDECAR_IMAGE },
  "sidecar.image.tag": { value: "8.8", ...SIDECAR_IMAGE },
  "sidecar.image.pullPolicy": { value: "Never", where: `${INJECTION} pullPolicy` },
  "sidecar.resources.requests.cpu": { value: "70m", where: `${INJECTION} resources.requests.cpu` },
  "sidecar.resources.requests.memory": { value: "70Mi", where: `${INJECTION} resources.requests.memory` },
  "sidecar.resources.limits.memory": { value: "700Mi", where: `${INJECTION} resources.limits.memory` },
  "sidecar.concurrency": { value: 3, where: `${INJECTION} concurrency` },
  "sidecar.logLevel": { value: "debug", where: `${INJECTION} logLevel` },
  "sidecar.ipv6": { value: false, where: `${INJECTION} ipv6` },
  "sidecar.farewellSeconds": { value: 11, where: `${INJECTION} farewellSeconds` },
  "sidecar.excludeOutboundCIDRs": { value: ["10.9.0.0/16", "fd09::/16"], where: `${INJECTION} excludeOutboundCIDRs` },
  "sidecar.excludeOutboundPorts": { value: [3306], where: `${INJECTION} excludeOutboundPorts` },
  "log.level": { value: "warn", where: `${CONTAINER}.args.7`, as: "--log-level=warn" },
  "log.format": { value: "text", where: `${CONTAINER}.args.8`, as: "--log-format=text" },
  "resources.requests.cpu": { value: "300m", where: `${CONTAINER}.resources.requests.cpu` },
  "resources.requests.memory": { value: "300Mi", where: `${CONTAINER}.resources.requests.memory` },
  "resources.limits.memory": { value: "3Gi", where: `${CONTAINER}.resources.limits.memory` },
  priorityClassName: { value: "system-cluster-critical", where: `${POD}.priorityClassName` },
  nodeSelector: { value: { disk: "ssd" }, where: `${POD}.nodeSelector` },
  tolerations: { value: [{ operator: "Exists" }], where: `${POD}.tolerations` },
  affinity: { value: { nodeAffinity: {} }, where: `${POD}.affinity` },
  podAnnotations: {
    value: { colour: "green" },
    where: "Deployment spec.template.metadata.annotations",
    as: expect.objectContaining({ colour: "green" }),
  },
  podLabels: {
    value: { team: "mesh" },
    where: "Deployment spec.template.metadata.labels",
    as: expect.objectContaining({ team: "mesh" }),
  },
  "networkPolicy.metricsFrom": {
    value: [{ namespaceSelector: {} }],
    where: "NetworkPolicy spec.ingress.2.from",
    as: [{ podSelector: {} }, { namespaceSelector: {} }],
  },
  "admission.failurePolicy": { value: "Ignore", where: "ValidatingWebhookConfiguration webhooks.0.failurePolicy" },
  "admission.timeoutSeconds": { value: 3, where: "MutatingWebhookConfiguration webhooks.0.timeoutSeconds" },
  "serviceMonitor.interval": { value: "90s", where: "ServiceMonitor spec.endpoints.0.interval" },
  "serviceMonitor.labels": {
    value: { release: "prometheus" },
    where: "ServiceMonitor metadata.labels",
    as: expect.objectContaining({ release: "prometheus" }),
  },
  "serviceMonitor.enabled": { value: true, where: "ServiceMonitor kind", as: "ServiceMonitor" },
};

const SWITCHES = ["podDisruptionBudget.enabled", "networkPolicy.enabled", "crds.install", "crds.keep"];

/** What holds anything that somebody may want to name. */
const OPEN =
  /^(?:global|nodeSelector|affinity|podAnnotations|podLabels|serviceMonitor\.labels|(?:sidecar\.)?resources\.(?:requests|limits))$/;

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The paths of all that stands below, and of all that holds it. */
function paths(tree: Tree, above = ""): { readonly leaves: readonly string[]; readonly holders: readonly string[] } {
  const below = Object.entries(tree).map(([key, value]) => {
    const path = above === "" ? key : `${above}.${key}`;
    return isTree(value) && Object.keys(value).length > 0 ? paths(value, path) : { leaves: [path], holders: [] };
  });
  return { leaves: below.flatMap(({ leaves }) => leaves), holders: [above, ...below.flatMap(({ holders }) => holders)] };
}

function treeOf(entries: Iterable<readonly [string, unknown]>): Tree {
  const tree: Record<string, unknown> = {};
  for (const [path, value] of entries) {
    const keys = path.split(".");
    let holder = tree;
    for (const key of keys.slice(0, -1)) holder = (holder[key] ??= {}) as Record<string, unknown>;
    holder[keys.at(-1) ?? ""] = value;
  }
  return tree;
}

function look(manifests: readonly Manifest[], where: string): unknown {
  const [what = "", path = ""] = where.split(" ");
  if (!what.endsWith(".json")) return at(named(manifests, what), path);
  const config = named(manifests, "ConfigMap", "seawall-config") as unknown as { readonly data: Readonly<Record<string, string>> };
  return at(JSON.parse(config.data[what] ?? ""), path);
}

/** What helm's schema says against these values. */
function objections(values: Tree): string {
  try {
    renderWith(values);
    return "none";
  } catch (error) {
    return String(error);
  }
}

describe("a value of the chart", () => {
  const { leaves, holders } = paths(DEFAULTS);

  it("is known to this test, whichever it is", () => {
    expect([...Object.keys(ARRIVALS), ...SWITCHES].toSorted()).toEqual(leaves.toSorted());
  });

  it("arrives where it belongs", () => {
    const manifests = renderWith(treeOf(Object.entries(ARRIVALS).map(([path, { value }]) => [path, value])));
    const arrived = Object.entries(ARRIVALS).map(([path, { where }]) => [path, look(manifests, where)]);
    expect(Object.fromEntries(arrived)).toEqual(
      Object.fromEntries(Object.entries(ARRIVALS).map(([path, { value, as }]) => [path, as ?? value])),
    );
  });

  it("is refused when its name is mistyped, at any depth", () => {
    const closed = holders.filter((path) => !OPEN.test(path));
    const typos = closed.map((path) => [path === "" ? "mistyped" : `${path}.mistyped`, 1] as const);
    const messages = objections(treeOf(typos));
    const named = closed.filter((path) => {
      const place = path === "" ? "'(?:|/)'|\\(root\\)" : `'?/?${path.replaceAll(".", "[./]")}'?`;
      return new RegExp(`(?:${place}):.*mistyped`).test(messages);
    });
    expect({ named, messages }).toEqual({ named: closed, messages: expect.stringContaining("mistyped") as unknown });
    expect(closed.length).toBeGreaterThan(10);
  });

  it("is refused when it is of another type", () => {
    const wrong = leaves.map((path) => {
      const { value } = ARRIVALS[path] ?? { value: true };
      return [path, isTree(value) ? 7 : { of: "another type" }] as const;
    });
    const typed = wrong.filter(([path]) => !OPEN.test(path.split(".").slice(0, -1).join(".")));
    const messages = objections(treeOf(typed));
    const silent = typed.map(([path]) => path).filter((path) => !new RegExp(`/?${path.replaceAll(".", "[./]")}'?:`).test(messages));
    expect({ silent, messages }).toEqual({ silent: [], messages: expect.stringContaining("schema") as unknown });
  });
});
