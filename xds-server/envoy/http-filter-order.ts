/**
 * The HTTP filters of every inbound listener, outermost first. All are declared once and disabled, so that switching a
 * policy on is a route update and never touches the listener. The exception is the last, `rbac`: it is enabled with a
 * base configuration that refuses everything as `not-configured`, so a virtual host without policy, or with a key that
 * names no filter, is closed.
 *
 * The order is a decision, with a reason per line:
 */
export const HTTP_FILTER_ORDER = [
  "strip-headers", //   first: no caller may bring a header that a later filter vouches for (a claim, a consumer)
  "limit-headers", //   outside of every limit, so that on the way back it sees all their X-RateLimit-* and keeps the tightest
  "early-limit-0", //   limits per address come before authentication: credential stuffing must count
  "early-limit-1",
  "early-limit-2",
  "early-limit-3",
  "jwt", //             proofs, before anything that reads claims
  "rbac-audit", //      shadow: what the audited and the enforced Allow rules would permit
  "rbac-deny", //       enforced Deny rules, strict mTLS and invalid policies
  "rbac-allow", //      shadow: which enforced Allow rule permits; the verdict is read by `rbac`
  "rbac", //            default deny on that verdict, enabled always; in its shadow the audit's final verdict
  "limit-0", //         limits per identity, claim or header count only what was permitted
  "limit-1",
  "limit-2",
  "limit-3",
  "limit-4",
  "limit-5",
  "limit-6",
  "limit-7",
  "router", //          forwards to the application
] as const;

/** The name of a filter in the chain, and so the only keys that `typed_per_filter_config` may have. */
export type HttpFilterName = (typeof HTTP_FILTER_ORDER)[number];

export const EARLY_LIMIT_SLOTS = HTTP_FILTER_ORDER.filter((name) => name.startsWith("early-limit-"));
export const LIMIT_SLOTS = HTTP_FILTER_ORDER.filter((name) => /^limit-\d$/.test(name));
