/** Manifests in, Envoy configuration out: what each workload's inbound ports and each service's routes become. */
import { fromBinary, type JsonValue, toJson } from "@bufbuild/protobuf";
import type { KubernetesObject } from "../crds/core/object.ts";
import { errorsOf } from "../crds/core/violation.ts";
import { ResourceSchema } from "../xds-server/gen/envoy/service/discovery/v3/discovery_pb.js";
import { registry } from "../xds-server/envoy/registry.ts";
import { policyEntry, type TargetScope } from "./mesh/policy-entry.ts";
import { type SourceEntry, sourceKey } from "./model/source-entry.ts";
import { offlineMesh } from "./offline-mesh.ts";

/** One Envoy resource, and what it belongs to. */
export interface TranslatedResource {
  /** A workload (`namespace/name`), or `mesh` for what all callers share. */
  readonly owner: string;
  /** The last part of the message's type: RouteConfiguration, TypedExtensionConfig, Cluster ... */
  readonly type: string;
  readonly name: string;
  /** In Envoy's own JSON, with the field names of its YAML. */
  readonly resource: JsonValue;
}

export interface Translation {
  readonly resources: readonly TranslatedResource[];
  /** Pods and services that were made up, because a policy protects what the manifests do not hold. */
  readonly assumed: readonly string[];
}

const POLICY_KINDS: ReadonlySet<string> = new Set([
  "AccessPolicy",
  "ClusterAccessPolicy",
  "AuthenticationPolicy",
  "RateLimitPolicy",
  "MutualTLSPolicy",
]);

/**
 * Translates manifests that hold (see `readManifests`). Policies whose targets are not among them get a stand-in: one pod
 * with one HTTP port, and a service where one is named.
 */
export function translateManifests(entries: ReadonlyMap<string, SourceEntry>): Translation {
  const all = new Map(entries);
  const assumed: string[] = [];
  for (const [key, entry] of entries) {
    const kind = key.slice(0, key.indexOf("/"));
    if (kind === "HTTPRoute") for (const service of parentsOf(entry)) assumeService(service, all, assumed);
    if (POLICY_KINDS.has(kind)) for (const scope of policyEntry(key, entry).scopes) assumeTarget(scope, all, assumed);
  }
  const { mesh } = offlineMesh(all);
  const workloads = new Map([...mesh.inventory.workloads.entries()].map(([key, { namespace, name }]) => [key, `${namespace}/${name}`]));
  const resources = [...mesh.resources.entries()].flatMap(([id, encoded]): TranslatedResource[] => {
    const [owner = "", type = "", name = ""] = id.split("|");
    const label = owner === "mesh" ? owner : workloads.get(owner);
    if (label === undefined) return [];
    const { resource } = toJson(ResourceSchema, fromBinary(ResourceSchema, encoded.entry), { registry, useProtoFieldName: true }) as {
      resource: JsonValue;
    };
    return [{ owner: label, type, name, resource }];
  });
  return { resources: resources.sort((a, b) => compare(`${a.owner} ${a.type} ${a.name}`, `${b.owner} ${b.type} ${b.name}`)), assumed };
}

/** What is wrong with manifests, so that they cannot be translated. */
export function invalidEntries(entries: ReadonlyMap<string, SourceEntry>): readonly string[] {
  return [...entries].flatMap(([key, entry]) => (entry.state === "invalid" && errorsOf(entry.violations).length > 0 ? [key] : []));
}

function parentsOf(entry: SourceEntry): string[] {
  if (entry.state === "invalid") return [];
  const spec = entry.object.spec as { parentRefs?: readonly { kind?: string; name: string }[] };
  const namespace = entry.object.metadata.namespace ?? "default";
  return (spec.parentRefs ?? []).filter((parent) => parent.kind === "Service").map((parent) => `${namespace}/${parent.name}`);
}

function assumeTarget(scope: TargetScope, all: Map<string, SourceEntry>, assumed: string[]): void {
  if (scope.kind === "service") {
    assumeService(scope.service, all, assumed);
    return;
  }
  const namespace = scope.namespace ?? "default";
  const labels = scope.kind === "pods" ? (scope.pods.matchLabels ?? {}) : {};
  const covered = [...all].some(([key, entry]) => key.startsWith(`Pod/${namespace}/`) && hasLabels(entry, labels));
  if (!covered) assumePod(namespace, "example", labels, all, assumed);
}

function assumeService(key: string, all: Map<string, SourceEntry>, assumed: string[]): void {
  const [namespace = "default", name = ""] = key.split("/");
  if (all.has(sourceKey("Service", namespace, name))) return;
  const labels = { app: name };
  put(all, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { selector: labels, ports: [{ name: "http", port: 80, targetPort: "http" }] },
  });
  assumed.push(`Service ${key}, port 80`);
  assumePod(namespace, name, labels, all, assumed);
}

function assumePod(
  namespace: string,
  name: string,
  labels: Readonly<Record<string, string>>,
  all: Map<string, SourceEntry>,
  assumed: string[],
): void {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels: { app: name, ...labels } },
    spec: { serviceAccountName: name, containers: [{ name, ports: [{ name: "http", containerPort: 8080 }] }] },
    status: { podIP: "127.0.0.1" },
  };
  if (all.has(sourceKey("Pod", namespace, name))) return;
  put(all, pod);
  assumed.push(`Pod ${namespace}/${name}, port 8080`);
}

function put(all: Map<string, SourceEntry>, object: KubernetesObject): void {
  const { kind, metadata } = object;
  all.set(sourceKey(kind, metadata.namespace, metadata.name), { state: "valid", object, origin: { file: "", line: 0 }, warnings: [] });
}

function hasLabels(entry: SourceEntry, labels: Readonly<Record<string, string>>): boolean {
  const metadata = entry.state === "valid" ? entry.object.metadata : undefined;
  return Object.entries(labels).every(([key, value]) => metadata?.labels?.[key] === value);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
