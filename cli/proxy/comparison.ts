import type { IntendedResource } from "../control-plane-admin.ts";
import { record, type RunningConfig, text } from "./config-dump.ts";
import { CONFIG_PARTS, type ConfigPart } from "./config-part.ts";

/** How a resource stands to what the control plane means it to be. */
export type Agreement =
  | { readonly kind: "as-intended" }
  /** Another version. */
  | { readonly kind: "other-version"; readonly intended: string }
  | { readonly kind: "refused"; readonly words: string }
  | { readonly kind: "missing" }
  | { readonly kind: "not-intended" }
  /** The sidecar's own: its certificate, and the token that it was started with. */
  | { readonly kind: "own" };

const MESSAGE_OF_PART: Readonly<Record<ConfigPart, string>> = {
  listeners: "Listener",
  routes: "RouteConfiguration",
  clusters: "Cluster",
  endpoints: "ClusterLoadAssignment",
  secrets: "Secret",
  extensions: "TypedExtensionConfig",
};

/** Secrets that are made for one sidecar, or given to it at its start. */
const OWN_SECRETS = new Set(["identity", "xds-token", "xds-trust"]);

/** What Envoy asks for by name, and only where something that it runs refers to it. */
const ON_DEMAND: ReadonlySet<ConfigPart> = new Set(["routes", "secrets", "extensions"]);

/** By part and name: everything that runs, and everything that should. */
export type Comparison = Readonly<Record<ConfigPart, ReadonlyMap<string, Agreement>>>;

/** Holds what an Envoy runs against what it should run. `intended` undefined: the control plane knows no such sidecar. */
export function compare(running: RunningConfig, intended: readonly IntendedResource[]): Comparison {
  const referred = namesReferredTo(running);
  const addressed = new Set(running.clusters.filter(({ resource }) => resource["type"] === "EDS").map(({ name }) => name));
  const parts = CONFIG_PARTS.map((part): [ConfigPart, ReadonlyMap<string, Agreement>] => {
    const expected = new Map(intended.filter(({ type }) => type === MESSAGE_OF_PART[part]).map((resource) => [resource.name, resource]));
    const found = new Map<string, Agreement>();
    for (const { name, version, refused } of running[part]) {
      const meant = expected.get(name);
      if (part === "secrets" && OWN_SECRETS.has(name)) found.set(name, { kind: "own" });
      // An inline load assignment appears among the endpoints, and belongs to its cluster.
      else if (meant === undefined) found.set(name, { kind: part === "endpoints" && !addressed.has(name) ? "own" : "not-intended" });
      else if (refused !== undefined) found.set(name, { kind: "refused", words: refused });
      else if (version !== undefined && version !== meant.version) found.set(name, { kind: "other-version", intended: meant.version });
      else found.set(name, { kind: "as-intended" });
    }
    for (const name of expected.keys()) {
      if (!found.has(name) && !(ON_DEMAND.has(part) && !referred.has(name))) found.set(name, { kind: "missing" });
    }
    return [part, found];
  });
  return Object.fromEntries(parts) as Record<ConfigPart, ReadonlyMap<string, Agreement>>;
}

/** Names of routes, secrets and extensions that something running asks for. */
function namesReferredTo({ listeners, routes, clusters }: RunningConfig): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit);
    const fields = record(value);
    if (fields === undefined) return;
    for (const [field, inner] of Object.entries(fields)) {
      if (field === "route_config_name" || field === "name") names.add(text(inner));
      visit(inner);
    }
  };
  for (const { resource } of [...listeners, ...routes, ...clusters]) visit(resource);
  return names;
}

export function agrees(agreement: Agreement): boolean {
  return agreement.kind === "as-intended" || agreement.kind === "own";
}

export function describeAgreement(agreement: Agreement | undefined): string {
  switch (agreement?.kind) {
    case undefined:
      return "?";
    case "as-intended":
      return "as intended";
    case "other-version":
      return `should be ${agreement.intended}`;
    case "refused":
      return `refused: ${agreement.words}`;
    case "missing":
      return "missing";
    case "not-intended":
      return "not intended";
    case "own":
      return "its own";
  }
}
