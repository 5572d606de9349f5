/**
 * Which policies act on which port of which workload: what adds up is collected, what overrides is decided. The result
 * is what `explain` judges by and what the Envoy configuration is made of.
 */
import { acceptedIssuers, type AuthenticationPolicySpec } from "../../crds/authentication-policy/index.ts";
import { type AccessPolicySpec, checkIssuers } from "../../crds/access-policy/index.ts";
import { errorsOf } from "../../crds/core/violation.ts";
import { effectivePolicy, type Overridden, SPECIFICITY, type Specificity } from "../../crds/core/override.ts";
import { type DefaultAccess, meshSettings } from "../../crds/mesh-config/index.ts";
import {
  type EffectiveMutualTls,
  effectiveMutualTls,
  type MutualTLSPolicy,
  type MutualTLSPolicySpec,
} from "../../crds/mutual-tls-policy/index.ts";
import type { RateLimitPolicySpec } from "../../crds/rate-limit-policy/index.ts";
import { type Collection, type Index, SINGLETON, type SingletonKey, type TransformContext } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import type { SourceEntry } from "../model/source-entry.ts";
import type { DataPlane } from "../model/data-plane.ts";
import { calledPort, UNDECLARED_PORTS, type Workload, type WorkloadPort } from "../model/workload.ts";
import { audienceOf } from "./audience.ts";
import type { Inventory } from "./inventory.ts";
import {
  coversPort,
  coversWorkload,
  lookupKeys,
  objectOf,
  type PolicyEntry,
  policyEntry,
  scopeKeys,
  selectedLabels,
} from "./policy-entry.ts";
import { defaultAccess, type MeshSettings } from "./settings.ts";

/** A policy that overrides others here, and those that it overrides. */
export interface Acting<Spec> {
  readonly policy: PolicyEntry<Spec>;
  readonly losers: readonly Overridden<PolicyEntry<Spec>>[];
}

/** The policies that act on one port. Lists are sorted by key. */
export interface PortPolicies {
  readonly port: WorkloadPort;
  readonly defaultAccess: DefaultAccess;
  readonly access: readonly PolicyEntry<AccessPolicySpec>[];
  readonly limits: readonly PolicyEntry<RateLimitPolicySpec>[];
  readonly mutualTls?: Acting<MutualTLSPolicySpec>;
  /** What the port demands of TLS, with or without a policy. */
  readonly tls: EffectiveMutualTls;
  readonly authentication?: Acting<AuthenticationPolicySpec>;
  /** Policies that cover the port and do not hold: because of them the port refuses. */
  readonly invalid: readonly PolicyEntry[];
  /** Identities that could be let in: `*`, `<namespace>/*` or `<namespace>/<service account>`, sorted. */
  readonly audience: readonly string[];
}

export interface WorkloadPolicies {
  readonly workload: Workload;
  readonly ports: readonly PortPolicies[];
  /** Where traffic is redirected: what holds for the ports that the workload does not declare. */
  readonly undeclared?: PortPolicies;
}

/** The policies of one kind, and where to look for those of a workload. */
interface PolicyKind<Spec> {
  readonly entries: Collection<string, PolicyEntry<Spec>>;
  readonly byScope: Index<string, string, PolicyEntry<Spec>>;
}

export interface Policies {
  readonly access: PolicyKind<AccessPolicySpec>;
  readonly limits: PolicyKind<RateLimitPolicySpec>;
  readonly mutualTls: PolicyKind<MutualTLSPolicySpec>;
  readonly authentication: PolicyKind<AuthenticationPolicySpec>;
  /** Per policy the label keys that it selects pods by. */
  readonly labelKeys: Collection<string, readonly string[]>;
  /** Every policy of every kind, by key. */
  readonly all: Collection<string, PolicyEntry>;
}

/** Files the policies of all kinds. */
export function policies(graph: Graph, source: (kind: string) => Collection<string, SourceEntry>): Policies {
  const read = <Spec>(kind: string): Collection<string, PolicyEntry<Spec>> =>
    graph.derive(`policies-${kind}`, source(kind), (entry, key) => policyEntry<Spec>(key, entry));
  const filed = <Spec>(name: string, entries: Collection<string, PolicyEntry<Spec>>): PolicyKind<Spec> => ({
    entries,
    byScope: graph.index(`${name}-by-scope`, entries, (entry) => scopeKeys(entry.scopes)),
  });
  const limits = read<RateLimitPolicySpec>("RateLimitPolicy");
  const mutualTls = read<MutualTLSPolicySpec>("MutualTLSPolicy");
  const authentication = read<AuthenticationPolicySpec>("AuthenticationPolicy");
  const issuers = graph.derive("issuers", authentication, ({ policy }) =>
    policy.state === "valid" ? acceptedIssuers(policy.object.spec) : undefined,
  );
  const accepted = graph.singleton("accepted-issuers", (context) => [...new Set(context.fetchAll(issuers).flat())].sort());
  const readAccess = (kind: string): Collection<string, PolicyEntry<AccessPolicySpec>> =>
    graph.derive(`checked-${kind}`, read<AccessPolicySpec>(kind), (entry, _key, context) =>
      withKnownIssuers(entry, new Set(context.fetch(accepted, SINGLETON) ?? [])),
    );
  const access = graph.join("access-policies", [readAccess("AccessPolicy"), readAccess("ClusterAccessPolicy")]);
  const all = graph.join<string, PolicyEntry>("policies", [access, limits, mutualTls, authentication]);
  return {
    access: filed("access", access),
    limits: filed("limits", limits),
    mutualTls: filed("mutual-tls", mutualTls),
    authentication: filed("authentication", authentication),
    labelKeys: graph.derive("selected-labels", all, (entry) => selectedLabels(entry.scopes)),
    all,
  };
}

/** A Deny rule about tokens that nobody verifies would refuse nobody: it makes its policy invalid, and so its targets refuse. */
function withKnownIssuers(entry: PolicyEntry<AccessPolicySpec>, accepted: ReadonlySet<string>): PolicyEntry<AccessPolicySpec> {
  if (entry.policy.state === "invalid") return entry;
  const violations = checkIssuers(entry.policy.object, accepted);
  return errorsOf(violations).length === 0 ? entry : { ...entry, policy: { state: "invalid", violations } };
}

/** Decides, per workload, which policies act where. */
export function workloadPolicies(
  graph: Graph,
  inventory: Inventory,
  settings: Collection<SingletonKey, MeshSettings>,
  filed: Policies,
  dataPlane: DataPlane,
): Collection<string, WorkloadPolicies> {
  return graph.derive("workload-policies", inventory.workloads, (workload, _key, context): WorkloadPolicies => {
    const namespaceLabels = context.fetch(inventory.namespaceLabels, workload.namespace) ?? {};
    const covering = <Spec>(kind: PolicyKind<Spec>): readonly PolicyEntry<Spec>[] =>
      coveringWorkload(kind, workload, namespaceLabels, context);
    const found = {
      access: covering(filed.access),
      limits: covering(filed.limits),
      mutualTls: covering(filed.mutualTls),
      authentication: covering(filed.authentication),
    };
    const mesh = context.fetch(settings, SINGLETON) ?? meshSettings(undefined);
    const access = defaultAccess(mesh, workload.namespace);
    const ofPort = (port: WorkloadPort): PortPolicies => {
      const onPort = <Spec>(entries: readonly PolicyEntry<Spec>[]): readonly PolicyEntry<Spec>[] =>
        entries.filter((entry) =>
          entry.scopes.some((scope) => coversWorkload(scope, workload, namespaceLabels) && coversPort(scope, port)),
        );
      const accessPolicies = onPort(found.access);
      const mutualTls = acting(onPort(found.mutualTls), workload, port);
      const authentication = acting(onPort(found.authentication), workload, port);
      return {
        port,
        defaultAccess: access,
        access: accessPolicies.filter(isValid),
        limits: onPort(found.limits).filter(isValid),
        ...(mutualTls === undefined ? {} : { mutualTls }),
        tls: effectiveMutualTls(objectOf<MutualTLSPolicy>(mutualTls?.policy), mesh, access, calledPort(port)),
        ...(authentication === undefined ? {} : { authentication }),
        invalid: Object.values(found)
          .flatMap((entries): readonly PolicyEntry[] => onPort<unknown>(entries))
          .filter((entry) => !isValid(entry)),
        audience: audienceOf(accessPolicies, access),
      };
    };
    return {
      workload,
      ports: workload.ports.map(ofPort),
      ...(dataPlane.kind === "kubernetes" ? { undeclared: ofPort(UNDECLARED_PORTS) } : {}),
    };
  });
}

function isValid(entry: PolicyEntry): boolean {
  return entry.policy.state === "valid";
}

function coveringWorkload<Spec>(
  kind: PolicyKind<Spec>,
  workload: Workload,
  namespaceLabels: Readonly<Record<string, string>>,
  context: TransformContext,
): readonly PolicyEntry<Spec>[] {
  const found = new Map<string, PolicyEntry<Spec>>();
  for (const key of lookupKeys(workload)) {
    const matching = context.fetchIndexWhere(kind.byScope, key, (entry) =>
      entry.scopes.some((scope) => coversWorkload(scope, workload, namespaceLabels)),
    );
    for (const entry of matching) found.set(entry.key, entry);
  }
  return [...found.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function acting<Spec>(entries: readonly PolicyEntry<Spec>[], workload: Workload, port: WorkloadPort): Acting<Spec> | undefined {
  const effective = effectivePolicy(
    entries
      .filter(isValid)
      .map((entry) => ({ policy: entry, metadata: entry.metadata, specificity: specificityOf(entry, workload, port) })),
  );
  return effective === undefined ? undefined : { policy: effective.winner, losers: effective.losers };
}

/** How closely a policy aims at a port: by the most specific of the scopes that cover it. */
function specificityOf(entry: PolicyEntry, workload: Workload, port: WorkloadPort): Specificity {
  const ranks = entry.scopes.map((scope): Specificity => {
    if (scope.kind === "service") return port.services.includes(scope.service) ? SPECIFICITY.workload : SPECIFICITY.cluster;
    if (scope.kind === "pods") return scope.namespace === workload.namespace ? SPECIFICITY.workload : SPECIFICITY.cluster;
    return scope.namespace === undefined ? SPECIFICITY.cluster : SPECIFICITY.namespace;
  });
  return ranks.reduce((highest, rank) => (rank > highest ? rank : highest), SPECIFICITY.cluster);
}
