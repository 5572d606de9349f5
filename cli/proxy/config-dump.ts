/** Envoy's config dump, reduced to named resources with versions, and without anything secret. */
import type { ConfigPart } from "./config-part.ts";

export type Json = Readonly<Record<string, unknown>>;

/** One resource that an Envoy has. */
export interface RunningResource {
  readonly name: string;
  /** Absent where Envoy does not tell it. */
  readonly version?: string;
  readonly resource: Json;
  /** Why Envoy refused a newer version of it. */
  readonly refused?: string;
}

export type RunningConfig = Readonly<Record<ConfigPart, readonly RunningResource[]>>;

/** Reads the answer to `/config_dump?include_eds`. What the bootstrap itself holds is left out. */
export function readConfigDump(dump: unknown): RunningConfig {
  // Envoy has one section of extensions for HTTP filters and another for network filters, both of one type.
  const section = (type: string, list: string): readonly Json[] =>
    records((dump as Json)["configs"])
      .filter((config) => String(config["@type"]).endsWith(`.${type}`))
      .flatMap((config) => records(config[list]));
  return {
    listeners: section("ListenersConfigDump", "dynamic_listeners").map((entry) => {
      const state = record(entry["active_state"]) ?? record(entry["warming_state"]) ?? {};
      return running(entry, state, record(state["listener"]) ?? {}, text(entry["name"]));
    }),
    routes: section("RoutesConfigDump", "dynamic_route_configs").map((entry) => running(entry, entry, record(entry["route_config"]) ?? {})),
    clusters: [
      ...section("ClustersConfigDump", "dynamic_active_clusters"),
      ...section("ClustersConfigDump", "dynamic_warming_clusters"),
    ].map((entry) => running(entry, entry, record(entry["cluster"]) ?? {})),
    endpoints: section("EndpointsConfigDump", "dynamic_endpoint_configs").map((entry) => {
      const assignment = record(entry["endpoint_config"]) ?? {};
      return running(entry, entry, assignment, text(assignment["cluster_name"]));
    }),
    secrets: [...section("SecretsConfigDump", "dynamic_active_secrets"), ...section("SecretsConfigDump", "dynamic_warming_secrets")].map(
      (entry) => running(entry, entry, record(entry["secret"]) ?? {}, text(entry["name"])),
    ),
    extensions: section("EcdsConfigDump", "ecds_filters").map((entry) => running(entry, entry, record(entry["ecds_filter"]) ?? {})),
  };
}

function running(entry: Json, state: Json, resource: Json, name = text(resource["name"])): RunningResource {
  const version = text(state["version_info"]);
  const refused = text(record(entry["error_state"])?.["details"]);
  return { name, ...(version === "" ? {} : { version }), resource, ...(refused === "" ? {} : { refused }) };
}

export function record(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

export function records(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(record).filter((item) => item !== undefined) : [];
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

/** Fields whose whole content is a secret, wherever they stand. */
const SECRET_FIELDS = new Set([
  "private_key",
  "password",
  "generic_secret",
  "session_ticket_keys",
  "token_secret",
  "hmac_secret",
  "client_secret",
]);
const REDACTED = "[redacted]";

/** The same value without keys, passwords and tokens. Envoy takes out most by itself; this does not rely on it. */
export function withoutSecrets(value: unknown): unknown {
  if (typeof value === "string") return looksSecret(value) ? REDACTED : value;
  if (Array.isArray(value)) return value.map(withoutSecrets);
  const fields = record(value);
  if (fields === undefined) return value;
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, SECRET_FIELDS.has(name) ? REDACTED : withoutSecrets(field)]),
  );
}

/** A PEM private key, or a signed token. */
function looksSecret(value: string): boolean {
  return value.includes("PRIVATE KEY-----") || /\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]+/.test(value);
}
