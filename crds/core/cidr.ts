import ipaddr from "ipaddr.js";

/** What is wrong with an address range, and how to write it; undefined when nothing is. */
export function cidrMistake(text: string): string | undefined {
  if (ipaddr.isValid(text)) return `write \`${text}/${ipaddr.parse(text).kind() === "ipv4" ? "32" : "128"}\` for this one address`;
  if (!ipaddr.isValidCIDR(text) || (!text.includes(":") && !ipaddr.IPv4.isValidCIDRFourPartDecimal(text))) {
    return "is not an address range such as `10.0.0.0/8` or `fd00::/8`";
  }
  const [address, length] = ipaddr.parseCIDR(text);
  const network = (address.kind() === "ipv4" ? ipaddr.IPv4 : ipaddr.IPv6).networkAddressFromCIDR(text);
  if (network.toNormalizedString() !== address.toNormalizedString()) {
    return `has bits set after its first ${length}: write \`${network.toString()}/${length}\``;
  }
  if (address.kind() === "ipv6" && (address as ipaddr.IPv6).isIPv4MappedAddress()) return "write an IPv4 range as IPv4";
  return undefined;
}

/** Whether an address is in one of the ranges; an IPv4 address that is mapped into IPv6 is IPv4. */
export function inRanges(address: string, ranges: readonly string[]): boolean {
  if (!ipaddr.isValid(address)) return false;
  const peer = ipaddr.process(address);
  return ranges.some((range) => {
    const [network, length] = ipaddr.parseCIDR(range);
    return network.kind() === peer.kind() && peer.match(network, length);
  });
}

/** Network and length of a range that was validated before. */
export function rangeParts(range: string): { readonly address: string; readonly length: number } {
  const [address, length] = ipaddr.parseCIDR(range);
  return { address: address.toString(), length };
}
