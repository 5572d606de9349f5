/**
 * A world of the oracle: what the manifests of a mesh say about access, proofs and TLS, as plain data, so that a world in
 * which Envoy and `decide` disagree can be kept in a file. Keys of issuers are named, not held: each run makes its own.
 */
import type { To } from "../../crds/core/match.ts";
import { SEAWALL_API_VERSION } from "../../crds/core/object.ts";
import { AUDIENCE, NAMESPACE } from "./cast.ts";
import type { OraclePolicy } from "./policy-arbitrary.ts";
import type { TokenMint } from "./token-presentation.ts";

/** What a policy protects: the called workload is behind `service`, and is not behind `other-service`. */
export const TARGETS = ["namespace", "service", "pods", "every-pod", "other-service", "other-pods"] as const;
export type Target = (typeof TARGETS)[number];

export interface OracleAccess extends OraclePolicy {
  readonly target: Target;
}

export const DEFAULTS = ["Deny", "Audit", "Allow"] as const;
export type OracleDefault = (typeof DEFAULTS)[number];
export const MODES = ["Strict", "Permissive", "Disable"] as const;

/** `invalid`: a MeshConfig that cannot be read, which closes the mesh. */
export type OracleMeshConfig =
  | "none"
  | "invalid"
  | { readonly default?: OracleDefault; readonly namespaces?: readonly { readonly name: string; readonly default: OracleDefault }[] };

export interface OracleMutualTls {
  readonly target: Target;
  readonly mode?: (typeof MODES)[number];
  readonly ports?: readonly { readonly port: number | string; readonly mode: (typeof MODES)[number] }[];
}

/** Where an issuer's keys are: in the policy, at a place from which they were fetched, or at one that does not answer. */
export const KEY_PLACES = ["inline", "published", "unreachable"] as const;

/** Lists of places that a policy may read tokens from; the first is the default one. */
export const TOKEN_SOURCES = {
  bearer: undefined,
  header: [{ header: "x-token" }],
  scheme: [{ header: "authorization", prefix: "Token " }],
  query: [{ header: "authorization" }, { query: "token" }],
  several: [{ header: "x-token" }, { header: "authorization", prefix: "Bearer " }],
} as const;

export interface OracleIssuer {
  readonly issuer: string;
  readonly audience: "ours" | "other" | "any";
  readonly keys: (typeof KEY_PLACES)[number];
  readonly from: keyof typeof TOKEN_SOURCES;
  readonly maxLifetime?: string;
  readonly claimsToHeaders?: readonly { readonly claim: string; readonly header: string }[];
}

export interface OracleAuthentication {
  readonly target: Target;
  readonly mutualTLS: boolean;
  readonly issuers: readonly OracleIssuer[];
  readonly anonymous?: "Deny" | "Allow";
  readonly except?: readonly { readonly to: readonly To[] }[];
}

export interface OracleWorld {
  readonly mesh: OracleMeshConfig;
  readonly access: readonly OracleAccess[];
  readonly mutualTls: readonly OracleMutualTls[];
  readonly authentication: readonly OracleAuthentication[];
  readonly broken: readonly { readonly mistake: Mistake; readonly target: Target }[];
}

/** Policies that do not hold: the kind and what its spec says beside its target. */
const MISTAKES = {
  "unknown-field": ["AccessPolicy", { action: "Allow", rulez: [] }],
  "lower-case-method": ["AccessPolicy", { action: "Allow", rules: [{ name: "r", to: [{ methods: ["get"] }] }] }],
  "deny-without-rules": ["AccessPolicy", { action: "Deny" }],
  "word-of-a-later-version": ["AccessPolicy", { action: "Deny", rules: [{ name: "r", when: { expression: "true" } }] }],
  "empty-list": ["ClusterAccessPolicy", { action: "Allow", rules: [{ name: "r", from: [] }] }],
  "no-keys": ["AuthenticationPolicy", { accept: [{ jwt: { issuer: "https://idp.example.com" } }] }],
  "mode-is-a-boolean": ["MutualTLSPolicy", { mode: false }],
} as const;
export type Mistake = keyof typeof MISTAKES;
export const MISTAKE_NAMES = Object.keys(MISTAKES) as readonly Mistake[];

type Manifest = Readonly<Record<string, unknown>>;

const brokenManifests = new WeakSet<object>();

/** Whether a manifest of a world is one that must not be valid. */
export function isMeantToBeBroken(manifest: object): boolean {
  return brokenManifests.has(manifest);
}

function meantToBeBroken(manifest: Manifest): Manifest {
  brokenManifests.add(manifest);
  return manifest;
}

/** The manifests of a world. */
export function manifestsOf(world: OracleWorld, mint: TokenMint): Manifest[] {
  return [
    ...meshConfig(world.mesh),
    ...world.access.map(({ kind, name, target, action, enforcement, rules }) =>
      manifest(kind, name, target, { action, enforcement, rules }),
    ),
    ...world.mutualTls.map(({ target, ...spec }, index) => manifest("MutualTLSPolicy", `m${index}`, target, spec)),
    ...world.authentication.map((policy, index) => authentication(policy, `a${index}`, mint)),
    ...world.broken.map(({ mistake, target }, index) => {
      const [kind, spec] = MISTAKES[mistake];
      return meantToBeBroken(manifest(kind, `b${index}`, target, spec));
    }),
  ];
}

function meshConfig(mesh: OracleMeshConfig): Manifest[] {
  if (mesh === "none") return [];
  const access = mesh === "invalid" ? { default: "Alow" } : mesh;
  const manifest = { apiVersion: SEAWALL_API_VERSION, kind: "MeshConfig", metadata: { name: "mesh" }, spec: { access } };
  return [mesh === "invalid" ? meantToBeBroken(manifest) : manifest];
}

function manifest(kind: string, name: string, target: Target, spec: object): Manifest {
  const cluster = kind === "ClusterAccessPolicy";
  return {
    apiVersion: SEAWALL_API_VERSION,
    kind,
    metadata: cluster ? { name } : { name, namespace: NAMESPACE },
    spec: { ...(cluster ? clusterTarget(target) : namespacedTarget(target)), ...spec },
  };
}

function namespacedTarget(target: Target): object {
  switch (target) {
    case "namespace":
      return { targetRefs: [{ kind: "Namespace" }] };
    case "service":
      return { targetRefs: [{ kind: "Service", name: "orders" }] };
    case "other-service":
      return { targetRefs: [{ kind: "Service", name: "other" }] };
    case "pods":
      return { targetSelectors: [{ kind: "Pod", matchLabels: { app: "orders" } }] };
    case "other-pods":
      return { targetSelectors: [{ kind: "Pod", matchLabels: { app: "other" } }] };
    case "every-pod":
      return { targetSelectors: [{ kind: "Pod" }] };
  }
}

/** A cluster policy knows no services: it selects namespaces and pods. */
function clusterTarget(target: Target): object {
  switch (target) {
    case "namespace":
      return { targetNamespaces: { matchLabels: { team: "shop" } } };
    case "other-service":
      return { targetNamespaces: { matchLabels: { team: "bank" } } };
    case "service":
    case "pods":
    case "other-pods":
      return namespacedTarget(target === "service" ? "pods" : target);
    case "every-pod":
      return {};
  }
}

function authentication(policy: OracleAuthentication, name: string, mint: TokenMint): Manifest {
  const { target, mutualTLS, issuers, anonymous, except } = policy;
  const accept = [...(mutualTLS ? [{ mutualTLS: {} }] : []), ...issuers.map((issuer) => ({ jwt: proof(issuer, mint) }))];
  return manifest("AuthenticationPolicy", name, target, {
    accept,
    ...(anonymous === undefined ? {} : { anonymous }),
    ...(except === undefined ? {} : { except }),
  });
}

function proof({ issuer, audience, keys, from, maxLifetime, claimsToHeaders }: OracleIssuer, mint: TokenMint): object {
  const sources = TOKEN_SOURCES[from];
  return {
    issuer,
    ...(audience === "any" ? {} : { audiences: [audience === "ours" ? AUDIENCE : "elsewhere-else"] }),
    jwks: keys === "inline" ? { inline: mint.jwks(issuer) } : { uri: keysUri(issuer, keys) },
    ...(sources === undefined ? {} : { from: sources }),
    ...(maxLifetime === undefined ? {} : { maxLifetime }),
    ...(claimsToHeaders === undefined ? {} : { claimsToHeaders }),
  };
}

export function keysUri(issuer: string, keys: "published" | "unreachable"): string {
  return `${issuer.replace(/\/$/, "")}/${keys}`;
}
