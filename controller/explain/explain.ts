/** Would this request be allowed, by which rule, and if not: what would have to be different. */
import { type JwksState } from "../../crds/authentication-policy/index.ts";
import type { PolicyRequest } from "../../crds/core/request.ts";
import { limitsOf, type RateLimitPolicy } from "../../crds/rate-limit-policy/index.ts";
import type { Collection } from "../collections/collection.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { objectOf } from "../mesh/policy-entry.ts";
import { currentSettings } from "../mesh/settings.ts";
import { servicePortKey } from "../model/service.ts";
import { decide, type PortDecision } from "./decide.ts";
import type { ExplainRequest } from "./explain-request.ts";

export interface Explanation {
  readonly verdict: "allowed" | "denied" | "unknown";
  readonly status?: number;
  /** What decided, as the access log names it. */
  readonly policy?: string;
  readonly reason: string;
  /** What the called pods make of it, by workload; they differ only when the service leads to several workloads. */
  readonly workloads: readonly { readonly workload: string; readonly port: number; readonly decision: PortDecision }[];
  /** The limits that would count the request. */
  readonly limits: readonly string[];
  readonly audit?: PortDecision["audit"];
  /** Allow rules that nearly matched, with what each misses. */
  readonly nearMisses: PortDecision["nearMisses"];
}

/** `now` is Unix milliseconds. */
export async function explain(mesh: Mesh, jwks: Collection<string, JwksState>, asked: ExplainRequest, now: number): Promise<Explanation> {
  const nothing = { workloads: [], limits: [], nearMisses: [] };
  const service = mesh.inventory.services.get(`${asked.to.namespace}/${asked.to.service}`);
  if (service === undefined)
    return { verdict: "unknown", reason: `there is no Service ${asked.to.namespace}/${asked.to.service}`, ...nothing };
  const servicePort = asked.to.port === undefined ? service.ports[0] : service.ports.find((port) => port.number === asked.to.port);
  if (servicePort === undefined) {
    const known = service.ports.map((port) => String(port.number)).join(", ");
    return {
      verdict: "unknown",
      reason: `Service ${service.key} has no port ${asked.to.port ?? ""} (it has ${known || "none"})`,
      ...nothing,
    };
  }
  const key = servicePortKey({ namespace: service.namespace, service: service.name, port: servicePort.number });
  const caller = asked.from?.serviceAccount;
  if (caller !== undefined && !mesh.outbound.visible.get(caller)?.some((ref) => servicePortKey(ref) === key)) {
    const policy = `not-visible/${caller}`;
    if (mesh.outbound.visible.has(caller)) {
      const reason = `no policy could let ${caller} call ${key}, so its own sidecar refuses: allow it in an AccessPolicy on the service`;
      return { verdict: "denied", status: 403, policy, reason, ...nothing };
    }
  }

  const settings = currentSettings(mesh.settings);
  const request = policyRequest(asked, settings.trustDomain);
  const behind = [...mesh.workloadPolicies.entries()].flatMap(([, found]) =>
    found.ports
      .filter((port) => port.port.services.includes(service.key) && leadsTo(servicePort.target, port.port))
      .map((policies) => ({ workload: found.workload, policies, ports: found.ports })),
  );
  if (behind.length === 0) return { verdict: "unknown", reason: `no pod with a sidecar is behind ${key}`, ...nothing };
  const jwksOf = (uri: string): JwksState => jwks.get(uri) ?? { state: "pending", error: "not fetched yet" };
  const workloads = await Promise.all(
    behind.map(async ({ workload, policies, ports }) => ({
      workload: `${workload.namespace}/${workload.name}`,
      port: policies.port.number,
      decision: await decide(request, { workload, policies, ports, settings, jwksOf, now: Math.floor(now / 1000) }),
    })),
  );
  // Any pod may get the request: it is only allowed when every one of them would take it.
  const telling = workloads.find(({ decision }) => decision.verdict === "denied") ?? workloads[0];
  const limits = behind.flatMap(({ policies }) => limitsOf(policies.limits.flatMap((entry) => objectOf<RateLimitPolicy>(entry) ?? [])));
  const { verdict, status, policy, reason, audit, nearMisses } = telling?.decision ?? {
    verdict: "denied",
    status: 403,
    policy: "",
    reason: "",
    audit: undefined,
    nearMisses: [],
  };
  return {
    verdict,
    status,
    policy,
    reason,
    workloads,
    limits: [...new Set(limits.map((limit) => limit.name))],
    ...(audit === undefined ? {} : { audit }),
    nearMisses,
  };
}

function leadsTo(target: number | string, port: { readonly number: number; readonly name?: string }): boolean {
  return target === port.number || target === port.name;
}

function policyRequest(asked: ExplainRequest, trustDomain: string): PolicyRequest {
  const [namespace, serviceAccount] = asked.from?.serviceAccount?.split("/") ?? [];
  const issuer = asked.claims?.["iss"];
  return {
    method: asked.method ?? "GET",
    path: asked.path ?? "/",
    host: asked.host ?? `${asked.to.service}.${asked.to.namespace}`,
    headers: (asked.headers ?? []).map(([name = "", value = ""]) => [name.toLowerCase(), value] as const),
    peerAddress: asked.from?.address ?? "127.0.0.1",
    ...(namespace === undefined || serviceAccount === undefined ? {} : { identity: { trustDomain, namespace, serviceAccount } }),
    jwts: asked.claims === undefined ? [] : [{ issuer: typeof issuer === "string" ? issuer : "", claims: asked.claims }],
  };
}
