/** Asks the real Envoy whether it would accept configurations, many in one run: a run costs about as much as starting Envoy. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SIDECAR_RUNTIME } from "../../xds-server/envoy/runtime.ts";
import { envoyPath } from "../../tools/fetch-envoy.ts";

type Json = Record<string, unknown>;

/** Resources of one configuration, in the JSON form of Envoy's protobuf (`envoyJson` makes it). */
export interface EnvoyConfig {
  readonly listeners?: readonly object[];
  readonly clusters?: readonly object[];
  readonly secrets?: readonly object[];
  /** envoy.config.endpoint.v3.ClusterLoadAssignment */
  readonly endpoints?: readonly object[];
  /** envoy.config.route.v3.RouteConfiguration; the clusters that it names need not exist. */
  readonly routeConfigurations?: readonly object[];
  /** envoy.config.route.v3.Route, as the routes of one virtual host. */
  readonly routes?: readonly object[];
  /** Filters of an HTTP connection manager, without the router. */
  readonly httpFilters?: readonly object[];
}

export type EnvoyVerdict =
  | { readonly kind: "accepted" }
  /** Envoy's own words. */
  | { readonly kind: "rejected"; readonly words: string };

/** One verdict for each configuration, in the same order. All of them cost one run when all are accepted. */
export async function validateWithEnvoy(configs: readonly EnvoyConfig[]): Promise<readonly EnvoyVerdict[]> {
  const verdicts = new Map<EnvoyConfig, EnvoyVerdict>();
  for (const batch of withoutClashes(configs)) await judge(batch, verdicts);
  return configs.map((config) => verdicts.get(config) ?? { kind: "accepted" });
}

/** Throws with Envoy's words and the names of all configurations that it rejects. */
export async function expectEnvoyAccepts(configs: ReadonlyMap<string, EnvoyConfig>): Promise<void> {
  const verdicts = await validateWithEnvoy([...configs.values()]);
  const names = [...configs.keys()];
  const rejected = verdicts.flatMap((verdict, index) => (verdict.kind === "rejected" ? [`${names[index] ?? ""}: ${verdict.words}`] : []));
  if (rejected.length > 0) throw new Error(`Envoy rejects ${rejected.length} of ${names.length}:\n${rejected.join("\n\n")}`);
}

/** A rejected batch is halved until the guilty are alone. */
async function judge(batch: readonly EnvoyConfig[], verdicts: Map<EnvoyConfig, EnvoyVerdict>): Promise<void> {
  const words = await refusal(batch);
  if (words === undefined) {
    for (const config of batch) verdicts.set(config, { kind: "accepted" });
    return;
  }
  const [only, ...others] = batch;
  if (only === undefined) return;
  if (others.length === 0) {
    verdicts.set(only, { kind: "rejected", words });
    return;
  }
  const half = Math.ceil(batch.length / 2);
  await judge(batch.slice(0, half), verdicts);
  await judge(batch.slice(half), verdicts);
}

/** Clusters and secrets are referred to by name and so keep theirs: two of the same name need two runs. */
function withoutClashes(configs: readonly EnvoyConfig[]): readonly (readonly EnvoyConfig[])[] {
  const batches: { names: Set<string>; configs: EnvoyConfig[] }[] = [];
  for (const config of new Set(configs)) {
    const names = new Set([
      ...(config.clusters ?? []).map((cluster) => `cluster ${String((cluster as Json)["name"])}`),
      ...(config.secrets ?? []).map((secret) => `secret ${String((secret as Json)["name"])}`),
    ]);
    const free = batches.find((batch) => ![...names].some((name) => batch.names.has(name)));
    if (free === undefined) batches.push({ names, configs: [config] });
    else {
      free.configs.push(config);
      for (const name of names) free.names.add(name);
    }
  }
  return batches.map((batch) => batch.configs);
}

async function refusal(configs: readonly EnvoyConfig[]): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "seawall-validate-"));
  try {
    const file = join(folder, "bootstrap.json");
    await writeFile(file, JSON.stringify(bootstrapOf(configs)));
    return await new Promise((resolve, reject) => {
      const options = { maxBuffer: 1 << 26 };
      const program = envoyPath();
      execFile(
        program,
        ["--mode", "validate", "--disable-hot-restart", "--log-level", "critical", "-c", file],
        options,
        (error, out, err) => {
          if (error === null) resolve(undefined);
          else if (typeof error.code === "number") resolve(wordsOf(err + out));
          else reject(new Error(`Envoy did not judge the configuration (${error.signal ?? error.code}):\n${err}`, { cause: error }));
        },
      );
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function wordsOf(output: string): string {
  return output
    .split("\n")
    .map((line) => line.replace(/^(\[[^\]]*\] ?)*(error initializing configuration '[^']*': )?/, "").trim())
    .filter((line) => line !== "")
    .join("\n");
}

function bootstrapOf(configs: readonly EnvoyConfig[]): object {
  const listeners: object[] = [];
  const clusters: object[] = [];
  const secrets: object[] = [];
  configs.forEach((config, index) => {
    for (const listener of config.listeners ?? []) listeners.push(onOwnAddress(listener, listeners.length));
    clusters.push(...(config.clusters ?? []));
    secrets.push(...(config.secrets ?? []));
    for (const load of config.endpoints ?? []) clusters.push(clusterAround(load, clusters.length));
    for (const routes of routeConfigurationsOf(config)) listeners.push(listenerAround(routes, config, listeners.length, index));
  });
  const runtime = { layers: [{ name: "sidecar", static_layer: SIDECAR_RUNTIME }] };
  return { layered_runtime: runtime, static_resources: { listeners, clusters, secrets } };
}

function routeConfigurationsOf(config: EnvoyConfig): readonly object[] {
  const around = (routes: readonly object[]): object => ({ virtual_hosts: [{ name: "all", domains: ["*"], routes }] });
  if (config.routes !== undefined) return [...(config.routeConfigurations ?? []), around(config.routes)];
  if (config.routeConfigurations !== undefined) return config.routeConfigurations;
  return config.httpFilters === undefined ? [] : [around([])];
}

/** Nothing is bound while validating, yet two listeners of one bootstrap may share neither a name nor an address. */
function onOwnAddress(listener: object, index: number): object {
  const { address, additional_addresses: additional, name } = listener as Json;
  const extra = Array.isArray(additional)
    ? { additional_addresses: additional.map((entry, at) => ({ ...(entry as Json), address: ownAddress(20_000 + index * 8 + at) })) }
    : {};
  const internal = address === undefined ? {} : { address: ownAddress(10_000 + index) };
  return { ...listener, name: `${String(name)} (${index})`, ...internal, ...extra };
}

function ownAddress(number: number): object {
  const [high, low] = [Math.floor(number / 200) % 200, number % 200];
  return { socket_address: { address: `127.1.${high}.${low + 1}`, port_value: 1 + (number % 60_000) } };
}

function listenerAround(routes: object, config: EnvoyConfig, index: number, configIndex: number): object {
  return {
    name: `routes ${index}`,
    address: ownAddress(10_000 + index),
    filter_chains: [
      {
        filters: [
          {
            name: "http",
            typed_config: {
              "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              stat_prefix: `config-${configIndex}`,
              route_config: { ...routes, validate_clusters: false },
              http_filters: [
                ...(config.httpFilters ?? []),
                { name: "router", typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" } },
              ],
            },
          },
        ],
      },
    ],
  };
}

function clusterAround(load: object, index: number): object {
  const name = `${String((load as Json)["cluster_name"])} (${index})`;
  return { name, type: "STATIC", connect_timeout: "1s", load_assignment: { ...load, cluster_name: name } };
}
