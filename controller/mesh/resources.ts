/** Resources as the delta server wants them: encoded once, identified in the whole mesh. */
import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { typeUrl } from "../../xds-server/envoy/any.ts";
import { encodeResource } from "../../xds-server/delta/encoding.ts";
import type { EncodedResource, ResourceId } from "../../xds-server/delta/feed.ts";

export type IdentifiedResource = readonly [ResourceId, EncodedResource];

/**
 * A resource owned by `owner` (a pod, a workload, or `mesh` for what all share). The last part of the message's type
 * and the wire name complete its id.
 */
export function resource<Desc extends DescMessage>(
  owner: string,
  schema: Desc,
  name: string,
  message: MessageShape<Desc>,
): IdentifiedResource {
  return serializedResource(owner, schema, name, toBinary(schema, message));
}

/** As {@link resource}, of a message that is serialized already. */
export function serializedResource(owner: string, schema: DescMessage, name: string, bytes: Uint8Array): IdentifiedResource {
  return [resourceId(owner, schema, name), encodeResource(typeUrl(schema), name, bytes)];
}

export function resourceId(owner: string, schema: DescMessage, name: string): ResourceId {
  return `${owner}|${schema.name}|${name}`;
}

/** The owner of what every subscriber may share. */
export const MESH = "mesh";

/** Versions are hashes of content, so resources of one id are told apart by them alone. */
export function sameResource(one: EncodedResource, other: EncodedResource): boolean {
  return one.version === other.version;
}

/** The key of the layer that the pods of a workload share. */
export function workloadLayer(workload: string): string {
  return `workload/${workload}`;
}
