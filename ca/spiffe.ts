import { isIP } from "node:net";

/** Who a workload is: a Kubernetes service account in a trust domain. */
export interface Identity {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** SPIFFE-ID section 2.3: an ID has at most 2,048 bytes, of which the trust domain has at most 255. */
const LONGEST_TRUST_DOMAIN = 255;
const LONGEST_ID = 2048;

/** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. The parts must be valid, see {@link identityProblem}. */
export function spiffeId({ trustDomain, namespace, serviceAccount }: Identity): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

/**
 * What is wrong with a trust domain, or undefined. Beyond SPIFFE-ID section 2.1 it must look like a host and be no IP
 * address: it is also the host that the signing certificate's name constraint permits, where a leading dot would mean
 * every subdomain and an address is not allowed (RFC 5280 section 4.2.1.10).
 */
export function trustDomainProblem(trustDomain: string): string | undefined {
  if (trustDomain === "") return "the trust domain is empty";
  if (trustDomain.length > LONGEST_TRUST_DOMAIN) return `the trust domain is longer than ${LONGEST_TRUST_DOMAIN} bytes`;
  if (!/^[a-z0-9._-]+$/.test(trustDomain)) {
    return `the trust domain ${JSON.stringify(trustDomain)} may hold only lower-case letters, digits, dots, dashes and underscores`;
  }
  if (trustDomain.split(".").includes("")) {
    return `the trust domain ${JSON.stringify(trustDomain)} may not begin or end with a dot, or have two in a row`;
  }
  if (isIP(trustDomain) !== 0) return `the trust domain ${JSON.stringify(trustDomain)} may not be an IP address`;
  return undefined;
}

/** What is wrong with an identity by the SPIFFE-ID specification (sections 2.1 to 2.3), or undefined. */
export function identityProblem(identity: Identity): string | undefined {
  return (
    trustDomainProblem(identity.trustDomain) ??
    segmentProblem("namespace", identity.namespace) ??
    segmentProblem("service account", identity.serviceAccount) ??
    (spiffeId(identity).length > LONGEST_ID ? `the SPIFFE ID is longer than ${LONGEST_ID} bytes` : undefined)
  );
}

/** SPIFFE-ID section 2.2: one path segment. */
export function segmentProblem(what: string, segment: string): string | undefined {
  if (segment === "") return `the ${what} is empty`;
  if (segment === "." || segment === "..") return `the ${what} may not be ${JSON.stringify(segment)}`;
  if (!/^[A-Za-z0-9._-]+$/.test(segment)) {
    return `the ${what} ${JSON.stringify(segment)} may hold only letters, digits, dots, dashes and underscores`;
  }
  return undefined;
}
