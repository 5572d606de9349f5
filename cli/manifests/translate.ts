import { fromBinary, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { errorsOf } from "../../crds/core/violation.ts";
import type { KubernetesObject } from "../../crds/core/object.ts";
import type { Mesh } from "../../controller/mesh/mesh.ts";
import { envoyJson, yamlOf } from "../../xds-server/envoy/yaml.ts";
import { registry } from "../../xds-server/envoy/registry.ts";
import type { EncodedResource } from "../../xds-server/delta/feed.ts";
import { ResourceSchema } from "../../xds-server/gen/envoy/service/discovery/v3/discovery_pb.js";
import { CommandFailure } from "../command-failure.ts";
import { say, type Terminal } from "../terminal.ts";
import { offlineMesh } from "./offline-mesh.ts";
import { readNamedManifests } from "./read-manifests.ts";
import { assumedPorts, standIns } from "./stand-ins.ts";
import { routesAmong, translateRoutes } from "./translate-routes.ts";

export interface TranslateOptions {
  readonly file: readonly string[];
  /** `namespace/name`. */
  readonly workload?: string;
  /** Also what no policy has a say in. */
  readonly all: boolean;
  readonly output: "yaml" | "json";
}

/** One resource of a workload, or of a service's callers. */
interface Translated {
  /** `namespace/name` of the workload, or `callers of <namespace>/<service>`. */
  readonly of: string;
  readonly resource: JsonObject;
}

/** A public key of nobody's (RFC 7517, appendix A.1), which stands for those that the control plane would fetch. */
const STAND_IN_KEYS = JSON.stringify({
  keys: [
    {
      kty: "EC",
      crv: "P-256",
      x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
      y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
      kid: "stand-in",
      alg: "ES256",
    },
  ],
});

/** Prints what the manifests become. Throws CommandFailure when they do not hold. */
export async function translate(options: TranslateOptions, terminal: Terminal): Promise<void> {
  const { entries, problems } = await readNamedManifests(options.file, terminal);
  const errors = errorsOf(problems);
  if (errors.length > 0) {
    throw CommandFailure.usage(
      `the input does not hold (${errors.length} of its mistakes): seawall validate -f ${options.file.join(" ")} says where`,
    );
  }
  const offline = offlineMesh(entries, STAND_IN_KEYS);
  const routes = routesAmong(entries);
  const assumed = standIns(offline.mesh, routes);
  offline.add(assumed);
  for (const object of assumed) {
    if (object.kind === "Service")
      say(terminal, `assumed: Service ${nameOf(object)} with one pod, on port ${assumedPorts(object).join(", ")}`);
  }
  for (const uri of offline.keySets) say(terminal, `stand-in: the keys of ${uri}, which the control plane fetches`);
  const translated = withoutRepetition([
    ...inbound(offline.mesh, options),
    ...(options.workload === undefined ? translateRoutes(offline.mesh, routes) : []),
  ]);
  if (translated.length === 0) {
    const known = [...offline.mesh.inventory.workloads.entries()].map(([, { namespace, name }]) => `${namespace}/${name}`);
    const choice = known.length === 0 ? "the input has none" : `there are ${[...new Set(known)].sort().join(", ")}`;
    throw CommandFailure.usage(
      options.workload === undefined ? "no policy in the input concerns a workload" : `no workload ${options.workload}: ${choice}`,
    );
  }
  terminal.output.write(options.output === "json" ? `${JSON.stringify(translated, null, 2)}\n` : asYaml(translated));
}

function asYaml(translated: readonly Translated[]): string {
  return translated.map(({ of, resource }) => `# ${of}\n${yamlOf(resource)}`).join("---\n");
}

/** Workloads of one name may differ in labels that make no difference here. */
function withoutRepetition(translated: readonly Translated[]): readonly Translated[] {
  return [...new Map(translated.map((one) => [JSON.stringify(one), one])).values()];
}

const POLICY_TYPES = ["RouteConfiguration", "TypedExtensionConfig"];

/** What policies make of the workloads that they concern; with `all`, everything that these workloads' sidecars get. */
function inbound(mesh: Mesh, options: TranslateOptions): Translated[] {
  const seen = new Set<string>();
  return [...mesh.inventory.workloadOfPod.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([pod, workload]) => {
      const of = `${workload.namespace}/${workload.name}`;
      const isWanted = options.workload === undefined ? isConcerned(mesh, workload.key) : options.workload === of;
      if (seen.has(workload.key) || !isWanted) return [];
      seen.add(workload.key);
      return resourcesOf(mesh, pod)
        .filter(({ typeUrl, name }) => options.all || (POLICY_TYPES.some((type) => typeUrl.endsWith(`.${type}`)) && name !== "outbound"))
        .flatMap((resource) => decode(resource))
        .flatMap((resource) => (options.all ? [resource] : withoutFixedParts(resource)))
        .map((resource): Translated => ({ of, resource }));
    });
}

function isConcerned(mesh: Mesh, workload: string): boolean {
  const ports = mesh.workloadPolicies.get(workload)?.ports ?? [];
  return ports.some(
    ({ access, limits, invalid, mutualTls, authentication }) =>
      access.length + limits.length + invalid.length > 0 || mutualTls !== undefined || authentication !== undefined,
  );
}

/** Leaves out what is the same whatever the policies say: an extension without content, the routes of malformed requests. */
function withoutFixedParts(resource: JsonObject): JsonObject[] {
  const extension = resource["typed_config"];
  if (extension !== undefined) return Object.keys(extension as JsonObject).length > 1 ? [resource] : [];
  const virtualHosts = resource["virtual_hosts"] as JsonObject[];
  return [
    {
      ...resource,
      virtual_hosts: virtualHosts.map((virtualHost) => ({
        ...virtualHost,
        routes: (virtualHost["routes"] as JsonObject[]).filter(({ name }) => !(name as string).startsWith("malformed-")),
      })),
    },
  ];
}

function resourcesOf(mesh: Mesh, pod: string): EncodedResource[] {
  const layers = mesh.subscribers.get(pod)?.layers ?? [];
  return layers
    .flatMap((layer) => [...(mesh.layers.get(layer)?.resources ?? [])])
    .flatMap((id) => mesh.resources.get(id) ?? [])
    .sort((a, b) => (`${a.typeUrl} ${a.name}` < `${b.typeUrl} ${b.name}` ? -1 : 1));
}

function decode({ entry, typeUrl }: EncodedResource): JsonObject[] {
  const { resource } = fromBinary(ResourceSchema, entry);
  const message = resource === undefined ? undefined : anyUnpack(resource, registry);
  const schema = message === undefined ? undefined : registry.getMessage(message.$typeName);
  if (message === undefined || schema === undefined) return [];
  return [{ "@type": typeUrl, ...(envoyJson(schema, message) as Record<string, JsonValue>) }];
}

function nameOf({ metadata }: KubernetesObject): string {
  return `${metadata.namespace ?? "default"}/${metadata.name}`;
}
