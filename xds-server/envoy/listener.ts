import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { ListenerSchema, type Listener } from "../gen/envoy/config/listener/v3/listener_pb.js";
import type { FilterChainSchema } from "../gen/envoy/config/listener/v3/listener_components_pb.js";
import { TrafficDirection } from "../gen/envoy/config/core/v3/base_pb.js";
import { TlsInspectorSchema } from "../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js";
import { socketAddress } from "./address.ts";
import { any } from "./any.ts";

export type NetworkFilters = NonNullable<MessageInitShape<typeof FilterChainSchema>["filters"]>;

/** A terminal or policy filter of a connection, ready packed. */
export function networkFilter(name: string, typedConfig: Any): NetworkFilters[number] {
  return { name, configType: { case: "typedConfig", value: typedConfig } };
}

/** What mesh callers who offer `alpn` meet. */
export interface MeshChain {
  readonly name: string;
  readonly alpn: string;
  readonly tls: Any;
  readonly filters: NetworkFilters;
}

/**
 * An inbound port without its address: chains for mesh mTLS and one for everything else, always all, so that turning
 * strictness on is a policy and never a change of the listener.
 */
export function inboundListener(input: {
  readonly name: string;
  readonly mesh: readonly MeshChain[];
  readonly plaintext: NetworkFilters;
}): Listener {
  return create(ListenerSchema, {
    name: input.name,
    trafficDirection: TrafficDirection.INBOUND,
    enableReusePort: false,
    listenerFilters: [{ name: "tls-inspector", configType: { case: "typedConfig", value: any(TlsInspectorSchema, {}) } }],
    // A peer that says nothing at first (a server-first protocol) is plaintext: go on without a verdict.
    continueOnListenerFiltersTimeout: true,
    listenerFiltersTimeout: { seconds: 1n, nanos: 0 },
    filterChains: input.mesh.map(({ name, alpn, tls, filters }) => ({
      name,
      filterChainMatch: { transportProtocol: "tls", applicationProtocols: [alpn] },
      transportSocket: { name: "tls", configType: { case: "typedConfig" as const, value: tls } },
      filters,
    })),
    defaultFilterChain: { name: "plaintext", filters: input.plaintext },
  });
}

/** An outbound listener; without `bind` its address is still to be added. */
export function outboundListener(input: {
  readonly name: string;
  readonly bind?: { readonly address: string; readonly port: number };
  readonly filters: NetworkFilters;
}): Listener {
  return create(ListenerSchema, {
    name: input.name,
    trafficDirection: TrafficDirection.OUTBOUND,
    enableReusePort: false,
    ...(input.bind === undefined ? {} : { address: socketAddress(input.bind.address, input.bind.port) }),
    defaultFilterChain: { name: "outbound", filters: input.filters },
  });
}

/** The address alone. Serialized messages concatenate: a workload's listener is encoded once, its address per pod. */
export function listenerAddress(address: string, port: number): Listener {
  return create(ListenerSchema, { address: socketAddress(address, port) });
}
