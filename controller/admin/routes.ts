/** What the admin port answers. */
import type { DeltaServer } from "../../xds-server/delta/delta-server.ts";
import { SINGLETON } from "../collections/collection.ts";
import type { Graph } from "../collections/graph.ts";
import { readExplainRequest } from "../explain/explain-request.ts";
import { explain } from "../explain/explain.ts";
import type { Mesh } from "../mesh/mesh.ts";
import type { PolicyProgress } from "../status/policy-progress.ts";
import { type Acknowledgements, policyStatuses } from "../status/policy-status.ts";
import type { AdminParts } from "./parts.ts";
import type { AdminResponse, AdminRoute } from "./server.ts";
import { newestStreams, sidecars } from "./sidecars.ts";
import { subscriberConfig } from "./subscriber-config.ts";

export function adminRoutes(parts: AdminParts): AdminRoute[] {
  registerSampledMetrics(parts);
  const { mesh, server, files, metrics, progress, graph } = parts;
  const debug = (path: string, handle: AdminRoute["handle"]): AdminRoute => ({ method: "GET", path, loopbackOnly: true, handle });
  return [
    { method: "GET", path: "/healthz", loopbackOnly: false, handle: () => ok("ok\n") },
    { method: "GET", path: "/readyz", loopbackOnly: false, handle: () => readiness(graph, mesh) },
    {
      method: "GET",
      path: "/metrics",
      loopbackOnly: false,
      handle: async () => ({ status: 200, body: await metrics.registry.metrics(), contentType: metrics.registry.contentType }),
    },
    debug("/debug/sidecars", () => ok(sidecars(parts))),
    debug("/debug/policies", () => ok(policyStatuses(mesh, acknowledgements(server, progress)))),
    debug("/debug/problems", () => ok(files?.problems ?? [])),
    debug("/debug/workloads", () => ok([...mesh.inventory.workloads.entries()].map(([, workload]) => workload))),
    debug("/debug/services", () =>
      ok([...mesh.backends.entries()].map(([key, backend]) => ({ key, ...backend, loopbackPort: mesh.tcpPorts?.get(key) }))),
    ),
    debug("/debug/config/*", ({ rest }) => subscriberConfig(mesh, rest.join("/"))),
    {
      method: "POST",
      path: "/debug/explain",
      loopbackOnly: true,
      handle: async ({ body }) => {
        const read = readExplainRequest(body);
        if (read.kind === "mistakes") return { status: 400, body: { error: read.mistakes.join("; ") } };
        return ok(await explain(mesh, parts.jwks, read.request, Date.now()));
      },
    },
  ];
}

function ok(body: unknown): AdminResponse {
  return { status: 200, body };
}

/** Ready is who has read all its sources and has computed from them what sidecars are given. */
function readiness(graph: Graph, mesh: Mesh): AdminResponse {
  if (!graph.synced) return { status: 503, body: `waiting for ${graph.unsynced.join(", ")}\n` };
  return mesh.settings.get(SINGLETON) === undefined ? { status: 503, body: "computing the first configuration\n" } : ok("ready\n");
}

/** How far each connected pod's sidecar is, and what it refuses; of several streams of one pod the newest counts. */
function acknowledgements(server: DeltaServer, progress: PolicyProgress): Acknowledgements {
  const newest = newestStreams(server.streams());
  return {
    sequenceOf: (key) => progress.sequenceOf(key),
    acknowledgedThrough: (pod) => newest.get(pod)?.ackedThrough,
    rejection: (pod) => {
      const rejecting = newest.get(pod)?.types.find((type) => type.rejected.length > 0);
      return rejecting === undefined ? undefined : `${rejecting.rejected.join(", ")}: ${rejecting.lastNack?.message ?? "refused"}`;
    },
  };
}

function registerSampledMetrics({ metrics, sources, leaves, authority }: AdminParts): void {
  metrics.sampled("seawall_objects", "Objects in the source, by kind and whether they hold.", ["kind", "state"], () =>
    [...sources].flatMap(([kind, source]) => {
      const counts = { valid: 0, invalid: 0 };
      for (const [, entry] of source.entries()) counts[entry.state] += 1;
      return Object.entries(counts).map(([state, value]) => ({ labels: { kind, state }, value }));
    }),
  );
  metrics.sampled("seawall_certificates_issued", "Workload certificates issued since the start.", [], () => [
    { labels: {}, value: leaves.issued },
  ]);
  metrics.sampled("seawall_ca_expiry_timestamp_seconds", "When the certificates of the authority expire.", ["certificate"], () => [
    { labels: { certificate: "root" }, value: authority.expiry.root / 1000 },
    { labels: { certificate: "intermediate" }, value: authority.expiry.intermediate / 1000 },
  ]);
}
