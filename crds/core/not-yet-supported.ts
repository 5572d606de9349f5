/**
 * Words of the policy language that this version does not have. They are refused with the reason NotSupported, so that
 * nobody looks for a typo, and nobody believes that a condition holds which nothing enforces.
 */

/**
 * A pattern for a field, `parent.field`, or for a value, `parent.field=Value`; a list item is `[]`. It matches the end of
 * a field path, so `from[].countries` is refused wherever a `from` stands.
 */
export type NotYetSupported = string;

export const NOT_YET_SUPPORTED: readonly NotYetSupported[] = [
  "when.expression",
  "when.within",
  "from[].countries",
  "from[].consumers",
  "from[].gateways",
  "from[].clientCIDRs",
  "to[].grpc",
  "to[].operations",
  "targetRefs[].sectionName",
  "targetRefs[].kind=Gateway",
  "targetRefs[].kind=HTTPRoute",
  "targetRefs[].kind=GRPCRoute",
  "openStreams",
  "spec.egress",
  "accept[].apiKey",
  "accept[].oidc",
  "accept[].basic",
  "accept[].introspection",
  "jwt.from[].cookie",
  "spec.enforcement=Audit",
  "limits[].scope=Global",
  "limits[].calendar",
  "limits[].share",
  "per[].type=Consumer",
  "per[].type=Country",
  "per[].type=Operation",
  "per[].type=Template",
  "onExceed.action=Throttle",
  "onExceed.startPercent",
  "onExceed.maxDelay",
];

/** Whether the field at `path` (with its indexes), holding `value` when it is a value that is in question, is one for later. */
export function isNotYetSupported(path: string, value: string | undefined, patterns: readonly NotYetSupported[]): boolean {
  const written = path.replaceAll(/\[\d+\]/g, "[]") + (value === undefined ? "" : `=${value}`);
  return patterns.some((pattern) => written === pattern || written.endsWith(`.${pattern}`));
}
