/**
 * Every permission that the control plane has in a cluster, with the reason. The chart's roles are held against this list by a
 * test, and so is what a control plane was seen to do: the API server's audit log of an end-to-end run.
 */
import { KINDS } from "../crds/kinds.ts";

export interface Permission {
  /** In every namespace and on cluster-scoped objects, in seawall-system alone, or a path that is no resource. */
  readonly where: "cluster" | "seawall-system" | "path";
  readonly verb: string;
  /** `pods`, `policies.seawall.dev/status`, or the path. */
  readonly what: string;
  /** Only objects of this name. */
  readonly name?: string;
  readonly why: string;
}

const ROUTES = ["httproutes", "grpcroutes", "tcproutes", "tlsroutes"].map((plural) => `${plural}.gateway.networking.k8s.io`);
const POLICIES = KINDS.filter((kind) => kind.apiVersion.startsWith("seawall.dev/")).map(({ plural }) => `${plural}.seawall.dev`);

function grant(where: Permission["where"], verbs: readonly string[], what: readonly string[], why: string, name?: string): Permission[] {
  return what.flatMap((one) => verbs.map((verb) => ({ where, verb, what: one, why, ...(name === undefined ? {} : { name }) })));
}

const FOLLOW = ["list", "watch"];
const WEBHOOKS = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"].map((what) => `${what}.admissionregistration.k8s.io`);

export const PERMISSIONS: readonly Permission[] = [
  ...grant(
    "cluster",
    FOLLOW,
    ["namespaces", "pods", "services", "serviceaccounts", "endpointslices.discovery.k8s.io"],
    "what the mesh is made of",
  ),
  ...grant("cluster", FOLLOW, [...POLICIES, ...ROUTES, "referencegrants.gateway.networking.k8s.io"], "policies and routes"),
  ...grant(
    "cluster",
    ["patch"],
    [...POLICIES, ...ROUTES].map((what) => `${what}/status`),
    "what became of them",
  ),
  ...grant("cluster", ["create"], ["meshconfigs.seawall.dev"], "the MeshConfig of the chart's values; its kind allows one name"),
  ...grant("cluster", ["patch"], ["meshconfigs.seawall.dev"], "the same, at an upgrade", "mesh"),
  ...grant(
    "cluster",
    ["create"],
    ["configmaps"],
    "the trust bundle of each injected namespace, by any replica; a create has no name to grant",
  ),
  ...grant(
    "cluster",
    ["get", ...FOLLOW, "update", "delete"],
    ["configmaps"],
    "the same, when it changes and when it is no longer needed",
    "seawall-trust",
  ),
  ...grant("cluster", ["create"], ["tokenreviews.authentication.k8s.io"], "who a sidecar is"),
  ...grant("path", ["get"], ["/openid/v1/jwks"], "the keys of the issuer of sidecars' tokens"),
  ...grant(
    "cluster",
    ["get", "patch"],
    WEBHOOKS,
    "the authority that the API server trusts when it calls the webhooks: each replica looks before it is ready",
    "seawall",
  ),
  ...grant("seawall-system", ["create"], ["secrets"], "the certificate authority, made once"),
  ...grant("seawall-system", ["get", ...FOLLOW, "update"], ["secrets"], "the same, shared by the replicas", "seawall-ca"),
  ...grant("seawall-system", ["create"], ["leases.coordination.k8s.io"], "which replica leads"),
  ...grant("seawall-system", ["get", "update"], ["leases.coordination.k8s.io"], "the same", "seawall-leader"),
];

/** A request as the API server's audit log has it. */
export interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly requestURI: string;
  readonly objectRef?: {
    readonly resource?: string;
    readonly apiGroup?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
}

/** The permissions that no request of these needed, and which a role could do without. */
export function unusedPermissions(events: Iterable<AuditEvent>): Permission[] {
  const unused = new Set(PERMISSIONS);
  for (const event of events) {
    for (const permission of unused) if (needs(event, permission)) unused.delete(permission);
  }
  return [...unused];
}

function needs({ verb, requestURI, objectRef }: AuditEvent, permission: Permission): boolean {
  if (verb !== permission.verb) return false;
  if (permission.where === "path") return requestURI.split("?")[0] === permission.what;
  if (objectRef === undefined) return false;
  const { resource = "", apiGroup = "", subresource, namespace, name } = objectRef;
  const what = `${resource}${apiGroup === "" ? "" : `.${apiGroup}`}${subresource === undefined ? "" : `/${subresource}`}`;
  if (what !== permission.what) return false;
  if (permission.where === "seawall-system" && namespace !== "seawall-system") return false;
  return permission.name === undefined || name === permission.name || requestURI.includes(`metadata.name%3D${permission.name}`);
}
