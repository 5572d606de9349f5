/**
 * The small world of the oracle: few names, so that a policy and a request often speak of the same thing. The first of
 * each list is what a failure shrinks to.
 */
import type { CalledPort, Identity } from "../../crds/core/request.ts";

export const TRUST_DOMAIN = "cluster.local";
export const NAMESPACE = "shop";
/** The called port of the workload. */
export const PORT: CalledPort = { number: 8080, name: "http", protocol: "HTTP" };

export const IDENTITIES: readonly Identity[] = [
  { trustDomain: TRUST_DOMAIN, namespace: "shop", serviceAccount: "web" },
  { trustDomain: TRUST_DOMAIN, namespace: "shop", serviceAccount: "default" },
  { trustDomain: TRUST_DOMAIN, namespace: "bank", serviceAccount: "web" },
  { trustDomain: TRUST_DOMAIN, namespace: "bank", serviceAccount: "teller" },
];

/** Where clients connect from. */
export const PEERS = ["127.0.0.1", "127.0.0.2", "127.9.0.1"] as const;
export const CIDRS = ["127.0.0.1/32", "127.0.0.0/8", "127.0.0.2/31", "127.8.0.0/15", "10.0.0.0/8", "::1/128"] as const;

export const METHODS = ["GET", "POST", "DELETE", "HEAD", "OPTIONS", "PROPFIND"] as const;
export const PORTS = [8080, "http", 9090, "admin"] as const;
export const HOSTS = ["orders.shop", "*.example.com", "api.example.com", "orders.shop.svc.cluster.local"] as const;

/** Segments of policies' paths; requests fill their variables from {@link FILLINGS}. */
export const LITERALS = ["orders", "a", "A", "a.b", "~x", "v1:run", "a;b=c", "a,b", "x=y", "%20", "%C3%A4", "-", "@me", "!$&'()+"] as const;
export const FILLINGS = [
  "7",
  "orders",
  "a",
  "..a",
  "a%20b",
  "[x]",
  "{id}",
  "**",
  "a;b",
  "%7Ea",
  "...",
  "(",
  "|",
  "$",
  "^",
  "a+b",
  "\\",
] as const;

export const HEADERS = ["x-tenant", "x-stage", "accept-language"] as const;
export const HEADER_VALUES = ["gold", "Gold", "no", "100%", "a b", "x;q=0.5"] as const;

export const ISSUERS = ["https://idp.example.com", "https://partners.example.com/"] as const;
export const AUDIENCE = "shop";
export const SCOPES = ["orders.read", "orders.write", "admin"] as const;
export const CLAIMS = ["role", "/realm/roles", "https://example.com/plan", "/a~1b/c~0d"] as const;
export const CLAIM_VALUES = ["admin", "customer", "true", "7", ""] as const;
