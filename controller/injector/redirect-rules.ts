/**
 * The rules by which a pod's TCP connections meet its sidecar, for `nft` in the pod's own network namespace. One table
 * for both families, replaced as a whole, so that running it again (a pod's sandbox may be made anew) changes nothing.
 */
import { APPLICATION_PRIORITY, SIDECAR_PORTS, SIDECAR_UID, UNREDIRECTED_PORTS } from "../../xds-server/envoy/sidecar-ports.ts";
import type { Exclusions } from "./injection-settings.ts";

const TABLE = "inet seawall";

/** The sidecar's connections to its own application, by their SO_PRIORITY, as nft writes it. */
const TO_APPLICATION = `0:${APPLICATION_PRIORITY.toString(16)}`;

const DNS = 53;

export function redirectRules(excluded: Exclusions): string {
  const inbound = set([...UNREDIRECTED_PORTS, ...excluded.inboundPorts]);
  const outbound = set([DNS, ...excluded.outboundPorts]);
  const v4 = excluded.outboundCidrs.filter((range) => !range.includes(":"));
  const v6 = excluded.outboundCidrs.filter((range) => range.includes(":"));
  // Its own Service may lead a pod to itself: then the sidecar is both ends, and must meet its own inbound listener.
  const toItself = `meta skuid ${SIDECAR_UID} oifname "lo" meta priority != ${TO_APPLICATION} tcp dport != ${inbound}`;
  return [
    // Declared first, since only what exists can be deleted: all of it is one transaction.
    `table ${TABLE}`,
    `delete table ${TABLE}`,
    `table ${TABLE} {`,
    // What conntrack takes for no part of a connection is not translated back, and its reset would end the real one.
    `  chain strays { type filter hook prerouting priority mangle; policy accept; iifname != "lo" meta l4proto tcp ct state invalid drop; }`,
    `  chain inbound { type nat hook prerouting priority dstnat; policy accept;`,
    `    iifname "lo" accept`,
    `    tcp dport ${inbound} accept`,
    `    meta l4proto tcp redirect to :${SIDECAR_PORTS.inbound}`,
    `  }`,
    `  chain outbound { type nat hook output priority -100; policy accept;`,
    `    ${toItself} ip daddr != 127.0.0.0/8 redirect to :${SIDECAR_PORTS.inbound}`,
    `    ${toItself} ip6 daddr != ::1 redirect to :${SIDECAR_PORTS.inbound}`,
    `    meta skuid ${SIDECAR_UID} accept`,
    `    oifname "lo" accept`,
    `    tcp dport ${outbound} accept`,
    ...(v4.length === 0 ? [] : [`    ip daddr ${set(v4)} accept`]),
    ...(v6.length === 0 ? [] : [`    ip6 daddr ${set(v6)} accept`]),
    `    meta l4proto tcp redirect to :${SIDECAR_PORTS.outbound}`,
    `  }`,
    `}`,
  ].join("\n");
}

function set(items: readonly (number | string)[]): string {
  return `{ ${[...new Set(items)].join(", ")} }`;
}
