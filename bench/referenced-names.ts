/** What a cluster or a listener makes Envoy ask for next: the names of endpoints, routes, extensions and secrets in it. */
import { createHash } from "node:crypto";
import { type DescMessage, fromBinary, toJson } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { TYPE_URL } from "../xds-server/delta/resource-types.ts";
import type { ReceivedResource } from "../xds-server/delta/testing/scripted-client.ts";
import { registry } from "../xds-server/envoy/registry.ts";
import { ClusterSchema } from "../xds-server/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ListenerSchema } from "../xds-server/gen/envoy/config/listener/v3/listener_pb.js";

export interface Reference {
  readonly typeUrl: string;
  readonly name: string;
}

const SCHEMAS: ReadonlyMap<string, DescMessage> = new Map<string, DescMessage>([
  [TYPE_URL.cluster, ClusterSchema],
  [TYPE_URL.listener, ListenerSchema],
]);

/** By what a resource holds apart from an address: a thousand pods have the same listeners, and the client must not be what is measured. */
const known = new Map<string, readonly Reference[]>();

export function referencedNames({ typeUrl, message }: ReceivedResource): readonly Reference[] {
  const schema = SCHEMAS.get(typeUrl);
  if (schema === undefined) return [];
  const key = digestWithoutAddress(message);
  let references = known.get(key);
  if (references === undefined) {
    references = [...referencesIn(toJson(schema, fromBinary(schema, message), { registry }))];
    known.set(key, references);
  }
  return references;
}

/** Field 2 is the address of a listener; clusters have none of that number. */
function digestWithoutAddress(message: Uint8Array): string {
  const digest = createHash("sha1");
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [field, wireType] = reader.tag();
    reader.skip(wireType, field);
    if (field !== 2) digest.update(message.subarray(start, reader.pos));
  }
  return digest.digest("base64");
}

function* referencesIn(json: unknown): Generator<Reference> {
  if (Array.isArray(json)) for (const item of json) yield* referencesIn(item);
  if (typeof json !== "object" || json === null || Array.isArray(json)) return;
  const record = json as Readonly<Record<string, unknown>>;
  const { name } = record;
  for (const [field, value] of Object.entries(record)) {
    if (field === "rds") yield* named(TYPE_URL.route, (value as { routeConfigName?: unknown }).routeConfigName);
    else if (field === "configDiscovery") yield* named(TYPE_URL.extensionConfig, name);
    else if (field === "edsClusterConfig") yield* named(TYPE_URL.endpoints, (value as { serviceName?: unknown }).serviceName ?? name);
    else if (/SdsSecretConfigs?$/.test(field)) {
      for (const config of [value].flat()) yield* named(TYPE_URL.secret, (config as { name?: unknown }).name);
    } else yield* referencesIn(value);
  }
}

function* named(typeUrl: string, name: unknown): Generator<Reference> {
  if (typeof name === "string") yield { typeUrl, name };
}
