/**
 * Listeners of a pod whose traffic is redirected. Two are bound: the inbound one takes what comes to the pod, whatever its
 * port; the outbound one takes what leaves it, and hands each connection over to the listener of its destination, which
 * is bound to nothing.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { TrafficDirection } from "../gen/envoy/config/core/v3/base_pb.js";
import type { FilterChainSchema, ListenerFilterChainMatchPredicateSchema } from "../gen/envoy/config/listener/v3/listener_components_pb.js";
import { type Listener, ListenerSchema } from "../gen/envoy/config/listener/v3/listener_pb.js";
import { HttpInspectorSchema } from "../gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js";
import { OriginalDstSchema } from "../gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js";
import { TlsInspectorSchema } from "../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js";
import { socketAddress } from "./address.ts";
import { any } from "./any.ts";
import { anyAddress } from "./fixed-listener.ts";
import type { MeshChain, NetworkFilters } from "./listener.ts";
import { SIDECAR_PORTS } from "./sidecar-ports.ts";

type FilterChain = MessageInitShape<typeof FilterChainSchema>;

const listenerFilter = (name: string, typedConfig: Any): { readonly name: string; readonly configType: TypedConfig } => ({
  name,
  configType: { case: "typedConfig", value: typedConfig },
});

interface TypedConfig {
  readonly case: "typedConfig";
  readonly value: Any;
}

const ORIGINAL_DESTINATION = listenerFilter("original-destination", any(OriginalDstSchema, {}));
const TLS_INSPECTOR = listenerFilter("tls-inspector", any(TlsInspectorSchema, {}));
const HTTP_INSPECTOR = listenerFilter("http-inspector", any(HttpInspectorSchema, {}));

/** What the HTTP inspector says of a connection that is HTTP. */
const HTTP_PROTOCOLS = ["http/1.0", "http/1.1", "h2c"];

/** A peer that says nothing at first (a server-first protocol) is taken for a stream of bytes. */
const PATIENCE = { continueOnListenerFiltersTimeout: true, listenerFiltersTimeout: { seconds: 1n, nanos: 0 } } as const;

/** Closes what it meets: connections to the sidecar's own port that were not redirected, which would come back for ever. */
function closed(port: number): FilterChain {
  return { name: "not-redirected", filterChainMatch: { destinationPort: port }, filters: [] };
}

export interface RedirectedPort {
  readonly number: number;
  readonly mesh: readonly MeshChain[];
  /** What plaintext meets that is HTTP, where connections are looked at. */
  readonly http?: NetworkFilters;
  readonly other: NetworkFilters;
}

/** The inbound listener: chains per port, and what all other ports meet. */
export function redirectedInboundListener(input: {
  readonly name: string;
  readonly ipv6: boolean;
  readonly ports: readonly RedirectedPort[];
  readonly undeclared: NetworkFilters;
}): Listener {
  const inspected = input.ports.filter(({ http }) => http !== undefined).map(({ number }) => number);
  return create(ListenerSchema, {
    name: input.name,
    ...anyAddress(SIDECAR_PORTS.inbound, input.ipv6),
    trafficDirection: TrafficDirection.INBOUND,
    enableReusePort: false,
    listenerFilters: [
      ORIGINAL_DESTINATION,
      TLS_INSPECTOR,
      ...(inspected.length === 0 ? [] : [{ ...HTTP_INSPECTOR, filterDisabled: not(anyOf(inspected.map(destinationPort))) }]),
    ],
    ...PATIENCE,
    filterChains: [closed(SIDECAR_PORTS.inbound), ...input.ports.flatMap(chainsOf)],
    defaultFilterChain: { name: "undeclared", filters: input.undeclared },
  });
}

/**
 * The chains of one port. Envoy does not go back once it has chosen by one property, so whatever names a transport needs
 * a twin for the same transport and the rest.
 */
function chainsOf({ number, mesh, http, other }: RedirectedPort): FilterChain[] {
  const plaintext = (name: string, match: NonNullable<FilterChain["filterChainMatch"]>, filters: NetworkFilters): FilterChain => ({
    name: `${number}/${name}`,
    filterChainMatch: { destinationPort: number, ...match },
    filters,
  });
  return [
    ...mesh.map(({ name, alpn, tls, filters }) => ({
      name: `${number}/${name}`,
      filterChainMatch: { destinationPort: number, applicationProtocols: [alpn] },
      transportSocket: { name: "tls", configType: { case: "typedConfig" as const, value: tls } },
      filters,
    })),
    ...(http === undefined
      ? []
      : [
          plaintext("http", { transportProtocol: "raw_buffer", applicationProtocols: HTTP_PROTOCOLS }, http),
          plaintext("bytes", { transportProtocol: "raw_buffer" }, other),
        ]),
    plaintext("plaintext", {}, other),
  ];
}

type Predicate = MessageInitShape<typeof ListenerFilterChainMatchPredicateSchema>;

function destinationPort(number: number): Predicate {
  return { rule: { case: "destinationPortRange", value: { start: number, end: number + 1 } } };
}

/** Envoy wants at least two to choose from. */
function anyOf(predicates: readonly Predicate[]): Predicate {
  const [first, ...others] = predicates;
  if (first !== undefined && others.length === 0) return first;
  return { rule: { case: "orMatch", value: { rules: [...predicates] } } };
}

function not(predicate: Predicate): Predicate {
  return { rule: { case: "notMatch", value: predicate } };
}

/** The outbound listener: `other` is what connections meet that lead to no listener. */
export function redirectedOutboundListener(input: {
  readonly name: string;
  readonly ipv6: boolean;
  readonly other: NetworkFilters;
}): Listener {
  return create(ListenerSchema, {
    name: input.name,
    address: socketAddress("127.0.0.1", SIDECAR_PORTS.outbound),
    additionalAddresses: input.ipv6 ? [{ address: socketAddress("::1", SIDECAR_PORTS.outbound) }] : [],
    trafficDirection: TrafficDirection.OUTBOUND,
    enableReusePort: false,
    useOriginalDst: true,
    // Nothing may look at a connection here: one to a server that speaks first would wait before it is handed over.
    listenerFilters: [ORIGINAL_DESTINATION],
    filterChains: [closed(SIDECAR_PORTS.outbound)],
    defaultFilterChain: { name: "unknown-destination", filters: input.other },
  });
}

/** What connections to a destination meet: requests, bytes, or whichever they turn out to be. */
export type DestinationTraffic =
  | { readonly kind: "http"; readonly filters: NetworkFilters }
  | { readonly kind: "bytes"; readonly chains: readonly ByteChain[] }
  | { readonly kind: "detected"; readonly http: NetworkFilters; readonly bytes: NetworkFilters };

export interface ByteChain {
  readonly name: string;
  /** TLS server names; empty for every connection that no other chain takes. */
  readonly serverNames: readonly string[];
  readonly filters: NetworkFilters;
}

/** The listener of a destination, to which the outbound listener hands over. `addresses` is never empty. */
export function destinationListener(input: {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly port: number;
  readonly traffic: DestinationTraffic;
}): Listener {
  const [first = "", ...others] = input.addresses;
  return create(ListenerSchema, {
    name: input.name,
    address: socketAddress(first, input.port),
    additionalAddresses: others.map((address) => ({ address: socketAddress(address, input.port) })),
    bindToPort: false,
    trafficDirection: TrafficDirection.OUTBOUND,
    ...chainsFor(input.traffic),
  });
}

function chainsFor(traffic: DestinationTraffic): Pick<MessageInitShape<typeof ListenerSchema>, "listenerFilters" | "filterChains"> {
  switch (traffic.kind) {
    case "http":
      return { filterChains: [{ name: "http", filters: traffic.filters }] };
    case "bytes": {
      const named = traffic.chains.some(({ serverNames }) => serverNames.length > 0);
      return {
        ...(named ? { listenerFilters: [TLS_INSPECTOR], ...PATIENCE } : {}),
        filterChains: traffic.chains.map(({ name, serverNames, filters }) => ({
          name,
          ...(serverNames.length === 0 ? {} : { filterChainMatch: { serverNames: [...serverNames] } }),
          filters,
        })),
      };
    }
    case "detected":
      return inspected(traffic.http, traffic.bytes);
  }
}

function inspected(
  http: NetworkFilters,
  bytes: NetworkFilters,
): Pick<MessageInitShape<typeof ListenerSchema>, "listenerFilters" | "filterChains" | "defaultFilterChain"> {
  return {
    listenerFilters: [HTTP_INSPECTOR],
    ...PATIENCE,
    filterChains: [{ name: "http", filterChainMatch: { applicationProtocols: HTTP_PROTOCOLS }, filters: http }],
    defaultFilterChain: { name: "bytes", filters: bytes },
  };
}

/** A listener that only other listeners of the same sidecar lead to: it answers requests, and closes everything else. */
export function internalHttpListener(name: string, http: NetworkFilters): Listener {
  return create(ListenerSchema, {
    name,
    listenerSpecifier: { case: "internalListener", value: {} },
    trafficDirection: TrafficDirection.OUTBOUND,
    ...inspected(http, []),
  });
}
