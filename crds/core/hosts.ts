/** Hosts as policies compare them: in lower case, without port and trailing dot; `*.x` as in the Gateway API. */

/** The host of a request's authority, as it is compared. */
export function comparedHost(authority: string): string {
  return authority
    .replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
    .replace(/:[0-9]*$/, "")
    .replace(/\.$/, "");
}

/** Whether the host of `authority` is `pattern`; `*.x` is any host below x, however deep, but not x itself. */
export function hostMatches(pattern: string, authority: string): boolean {
  const host = comparedHost(authority);
  if (!pattern.startsWith("*.")) return host === pattern;
  return host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1;
}

/** RE2 for the whole of an `:authority` as received. */
export function hostRegex(patterns: readonly string[]): string {
  const hosts = patterns.map((pattern) => pattern.replaceAll(/[.[\]]/g, String.raw`\$&`).replace(/^\*/, ".+"));
  return `(?i:${hosts.join("|")})\\.?(?::[0-9]*)?`;
}

const LABEL = "[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?";
const HOST = new RegExp(`^(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*$`);
const IPV6 = /^\[[0-9a-f:.]+\]$/;

/** What is wrong with a host in a policy, and how to write it; undefined when nothing is. */
export function hostMistake(pattern: string): string | undefined {
  if (HOST.test(pattern) || IPV6.test(pattern)) return undefined;
  if (pattern === "*") return "leave `hosts` out for any host";
  const mended = comparedHost(pattern.replace(/^[a-z]+:\/\//i, "").replace(/\/.*$/, ""));
  if (mended !== pattern && (HOST.test(mended) || IPV6.test(mended))) {
    return `hosts are compared in lower case, without scheme, port, path and trailing dot: write \`${mended}\``;
  }
  return "is not a host name such as `orders.shop` or `*.example.com`";
}
