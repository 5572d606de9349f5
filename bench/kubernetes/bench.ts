/** `node bench/kubernetes/bench.ts`: what a restart costs the control plane and the API server. See README.md. */
import { parseArgs } from "node:util";
import { setTimeout as pause } from "node:timers/promises";
import { connectKubernetes } from "../../controller/kubernetes/connect.ts";
import { KINDS } from "../../crds/kinds.ts";
import { startApiServer } from "../../e2e/cluster/api-server.ts";
import { generateMesh } from "../generated-mesh.ts";
import { monotonic } from "../monotonic.ts";
import { MeasuredProcess } from "../process-link.ts";
import { mean, percentile } from "../statistics.ts";
import { createMesh } from "./cluster-objects.ts";
import type { ReplicaParameters, ReplicaProtocol } from "./replica-protocol.ts";
import { loadBetween, type ServerLoad, serverLoad } from "./server-load.ts";

const USAGE = `usage: node bench/kubernetes/bench.ts [options]
  --pods <n>       pods, each with a sidecar (300)
  --services <n>   services (30)
  --policies <n>   policies (100)
  --restarts <n>   restarts of the control plane (5)
  --quiet <s>      seconds for which the load of a control plane at rest is taken (60)`;

const CORE = ["namespaces", "pods", "services", "endpointslices", "serviceaccounts"];
const RESOURCES: ReadonlySet<string> = new Set([...CORE, ...KINDS.map(({ plural }) => plural)]);
const MODULE = new URL("./replica-process.ts", import.meta.url);

const { values } = parseArgs({
  options: {
    pods: { type: "string", default: "300" },
    services: { type: "string", default: "30" },
    policies: { type: "string", default: "100" },
    restarts: { type: "string", default: "5" },
    quiet: { type: "string", default: "60" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
} else {
  await measure({
    shape: { sidecars: Number(values.pods), services: Number(values.services), policies: Number(values.policies) },
    restarts: Number(values.restarts),
    quietMs: Number(values.quiet) * 1000,
  });
}

interface Measured {
  readonly shape: { readonly sidecars: number; readonly services: number; readonly policies: number };
  readonly restarts: number;
  readonly quietMs: number;
}

async function measure({ shape, restarts, quietMs }: Measured): Promise<void> {
  await using server = await startApiServer({ extraArguments: ["--service-cluster-ip-range=198.18.0.0/16"] });
  const connection = await connectKubernetes({ kubeconfig: server.kubeconfig });
  const { api } = connection;
  const began = monotonic();
  const objects = await createMesh(api, generateMesh({ ...shape, selected: 10, callers: 10, spread: false }));
  console.error(`${objects} objects created in ${seconds(monotonic() - began)}`);
  const parameters: ReplicaParameters = { server: server.url, ca: server.caPem, token: server.tokens.admin };
  const rows: (readonly [string, string])[] = [];
  const starts: { serving: number; loaded: number; rss: number; peakRss: number; heap: number; cpu: number; load: ServerLoad }[] = [];
  // The first makes keys and statuses, which later ones find.
  for (let restart = 0; restart <= restarts; restart++) {
    const before = await serverLoad(api, RESOURCES);
    const forkedAt = monotonic();
    await using replica = new MeasuredProcess<ReplicaProtocol>(MODULE, parameters, ["--expose-gc"]);
    const { loadedAt, servingAt, pods } = await replica.ask("start", null);
    if (pods !== shape.sidecars) throw new Error(`the mesh has ${pods} pods, not ${shape.sidecars}`);
    const { cpu } = await replica.ask("usage", { collect: false });
    const load = loadBetween(before, await serverLoad(api, RESOURCES));
    // What was needed for the start alone is given back when it is quiet.
    await pause(3_000);
    const { rss, heap, peakRss } = await replica.ask("usage", { collect: true });
    if (restart > 0) starts.push({ serving: servingAt - forkedAt, loaded: loadedAt - forkedAt, rss, peakRss, heap, cpu, load });
    if (restart < restarts) continue;

    const quietBefore = await serverLoad(api, RESOURCES);
    const cpuBefore = (await replica.ask("usage", { collect: false })).cpu;
    await pause(quietMs);
    const quiet = loadBetween(quietBefore, await serverLoad(api, RESOURCES));
    const cpuQuiet = (await replica.ask("usage", { collect: false })).cpu - cpuBefore;
    rows.push([`at rest, in ${seconds(quietMs)}: requests`, counts(quiet)], ["  CPU of the control plane", `${cpuQuiet.toFixed(0)} ms`]);

    await replica.ask("beginOutage", null);
    await server.kill();
    await server.start();
    const backAt = monotonic();
    const { at, changes } = await replica.ask("endOutage", null);
    const outage = loadBetween({ requests: new Map(), listBytes: 0, cpu: 0 }, await serverLoad(api, RESOURCES));
    rows.push(
      ["API server killed and back: all kinds followed again, after it is ready", seconds(Math.max(0, at - backAt))],
      ["  lists of the control plane's and the server's own", String(outage.requests.get("LIST") ?? 0)],
      ["  pods that changed", String(changes)],
    );
  }
  const middle = (of: (start: (typeof starts)[number]) => number): number => percentile(starts.map(of), 0.5);
  const worst = (of: (start: (typeof starts)[number]) => number): number => percentile(starts.map(of), 1);
  const [last] = starts.slice(-1);
  console.log(
    table([
      [`control plane restarted, ${starts.length} times`, `${shape.sidecars} pods, ${shape.services} services, ${shape.policies} policies`],
      [
        "from fork to synced, computed and serving, p50 / worst",
        `${seconds(middle((s) => s.serving))} / ${seconds(worst((s) => s.serving))}`,
      ],
      ["  of which loading its modules, p50", seconds(middle((s) => s.loaded))],
      ["  CPU, p50", seconds(middle((s) => s.cpu))],
      ["RSS at rest, p50 / worst", `${megabytes(middle((s) => s.rss))} / ${megabytes(worst((s) => s.rss))}`],
      ["  live heap, p50", megabytes(middle((s) => s.heap))],
      ["  the most it ever was, worst", megabytes(worst((s) => s.peakRss))],
      ["a restart's requests to the API server", last === undefined ? "" : counts(last.load)],
      ["  bytes of lists", last === undefined ? "" : megabytes(last.load.listBytes)],
      ["  CPU of the API server, mean", seconds(mean(starts.map(({ load }) => load.cpu)) * 1000)],
      ...rows,
    ]),
  );
  connection.close();
}

function counts({ requests }: ServerLoad): string {
  return [...requests].map(([verb, count]) => `${count} ${verb}`).join(", ") || "none";
}

function seconds(milliseconds: number): string {
  return milliseconds >= 10_000 ? `${(milliseconds / 1000).toFixed(0)} s` : `${(milliseconds / 1000).toFixed(2)} s`;
}

function megabytes(bytes: number): string {
  return `${(bytes / (1 << 20)).toFixed(1)} MB`;
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([what]) => what.length));
  const lines = rows.map(([what, value]) => `| ${what.padEnd(width)} | ${value} |`);
  return lines.toSpliced(1, 0, `| ${"-".repeat(width)} | --- |`).join("\n");
}
