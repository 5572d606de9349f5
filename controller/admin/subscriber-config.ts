import { fromBinary, toJson } from "@bufbuild/protobuf";
import { ResourceSchema } from "../../xds-server/gen/envoy/service/discovery/v3/discovery_pb.js";
import { registry } from "../../xds-server/envoy/registry.ts";
import type { Mesh } from "../mesh/mesh.ts";
import type { AdminResponse } from "./server.ts";

/** What one sidecar is meant to run, resource by resource, as Envoy's JSON. A certificate is its own affair and not among it. */
export function subscriberConfig(mesh: Mesh, pod: string): AdminResponse {
  const subscriber = mesh.subscribers.get(pod);
  if (subscriber === undefined) return { status: 404, body: { error: `no pod ${pod} with a sidecar` } };
  const resources = subscriber.layers
    .flatMap((key) => [...(mesh.layers.get(key)?.resources ?? [])])
    .flatMap((id) => mesh.resources.get(id) ?? [])
    .map((resource) => ({
      type: resource.typeUrl.slice(resource.typeUrl.lastIndexOf(".") + 1),
      name: resource.name,
      version: resource.version,
      resource: toJson(ResourceSchema, fromBinary(ResourceSchema, resource.entry), { registry, useProtoFieldName: true }),
    }))
    .sort((a, b) => compare(a.type, b.type) || compare(a.name, b.name));
  return { status: 200, body: { subscriber: pod, layers: subscriber.layers, resources } };
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
