/** One mesh, measured from the cold connect to the last edit. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TYPE_URL } from "../xds-server/delta/resource-types.ts";
import { saveAtomically, writeAll } from "./atomic-save.ts";
import type { ControlPlaneParameters, ControlPlaneProtocol } from "./control-plane-protocol.ts";
import { FLOOR_FILE } from "./floor.ts";
import { type EditableFile, type GeneratedMesh, generateMesh, POD_PORT } from "./generated-mesh.ts";
import type { MeshShape } from "./mesh-shape.ts";
import { monotonic } from "./monotonic.ts";
import { MeasuredProcess } from "./process-link.ts";
import type { Expectation, SidecarsParameters, SidecarsProtocol } from "./sidecars-protocol.ts";
import { mean, percentile } from "./statistics.ts";

export interface ScenarioOptions {
  readonly shape: MeshShape;
  readonly insecureXds: boolean;
  readonly edits: number;
  /** Milliseconds from one save to the next, at least: what follows an edit is counted with it. */
  readonly windowMs: number;
  /** Options for the control plane's Node, such as --cpu-prof. */
  readonly nodeOptions: readonly string[];
  /** Takes one line at a time, without a line end. */
  readonly progress: (line: string) => void;
}

/** A series of edits of one kind. Times are in milliseconds. */
export interface EditResult {
  readonly edits: number;
  /** Sidecars that the edit should reach. */
  readonly expected: number;
  /** Sidecars that received anything, the fewest and the most. */
  readonly touched: readonly [fewest: number, most: number];
  /** True when every edit reached exactly the sidecars that it should. */
  readonly exact: boolean;
  /** From the save to the last sidecar that has the new configuration. */
  readonly last: { readonly p50: number; readonly p99: number };
  /** From the save to the first such sidecar. */
  readonly first: { readonly p50: number };
  /** Bytes of responses, per edit. */
  readonly bytes: number;
  /** CPU of the control plane per edit. */
  readonly cpu: number;
}

export interface ScenarioResult {
  readonly shape: MeshShape;
  readonly transport: "tls" | "plaintext";
  /** Reading the folder, computing everything, opening the ports. */
  readonly startMs: number;
  readonly connect: {
    readonly syncedMs: number;
    readonly serverCpuMs: number;
    readonly clientCpuMs: number;
    readonly bytes: number;
    readonly peakRss: number;
  };
  readonly memory: { readonly rssBefore: number; readonly rssAfter: number; readonly heapBefore: number; readonly heapAfter: number };
  readonly floor: {
    readonly event: { readonly p50: number; readonly p99: number };
    readonly last: { readonly p50: number; readonly p99: number };
  };
  /** CPU per save that changes nothing but a comment. */
  readonly noOpCpu: number;
  readonly selectorEdit: EditResult;
  readonly endpointChange: EditResult;
  readonly meshEdit: EditResult;
}

const FLOOR_SAVES = 30;
const WARM_UP_EDITS = 20;
const MESH_EDITS = 10;

export async function runScenario(options: ScenarioOptions): Promise<ScenarioResult> {
  const folder = mkdtempSync(join(tmpdir(), "seawall-bench-"));
  const cleanUp = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", cleanUp);
  try {
    const mesh = generateMesh(options.shape);
    const [configFolder, stateFolder, floorFolder] = ["config", "state", "floor"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    for (const path of [configFolder, floorFolder]) mkdirSync(path);
    writeAll(configFolder, mesh.files);
    const { insecureXds } = options;
    await using server = new MeasuredProcess<ControlPlaneProtocol>(
      new URL("control-plane-process.ts", import.meta.url),
      { configFolder, stateFolder, floorFolder, insecureXds } satisfies ControlPlaneParameters,
      ["--expose-gc", ...options.nodeOptions],
    );
    const pods = mesh.pods.map(({ key, namespace, name }) => ({ key, namespace, name }));
    await using sidecars = new MeasuredProcess<SidecarsProtocol>(new URL("sidecars-process.ts", import.meta.url), {
      stateFolder,
      pods,
      insecureXds,
    } satisfies SidecarsParameters);
    return await new Scenario(options, mesh, configFolder, floorFolder, server, sidecars).run();
  } finally {
    process.off("exit", cleanUp);
    cleanUp();
  }
}

class Scenario {
  readonly #options: ScenarioOptions;
  readonly #mesh: GeneratedMesh;
  readonly #configFolder: string;
  readonly #floorFolder: string;
  readonly #server: MeasuredProcess<ControlPlaneProtocol>;
  readonly #sidecars: MeasuredProcess<SidecarsProtocol>;

  constructor(
    options: ScenarioOptions,
    mesh: GeneratedMesh,
    configFolder: string,
    floorFolder: string,
    server: MeasuredProcess<ControlPlaneProtocol>,
    sidecars: MeasuredProcess<SidecarsProtocol>,
  ) {
    this.#options = options;
    this.#mesh = mesh;
    this.#configFolder = configFolder;
    this.#floorFolder = floorFolder;
    this.#server = server;
    this.#sidecars = sidecars;
  }

  async run(): Promise<ScenarioResult> {
    const { shape, insecureXds, edits, progress } = this.#options;
    const started = await this.#server.ask("start", null);
    progress(`control plane started in ${started.startMs.toFixed(0)} ms; making ${shape.sidecars} tokens`);
    await this.#sidecars.ask("prepare", null);

    const before = await this.#server.ask("usage", { collect: true });
    const connected = await this.#sidecars.ask("connect", { port: started.xds });
    const atPeak = await this.#server.ask("usage", { collect: false });
    progress(`${shape.sidecars} sidecars synced in ${connected.synced.toFixed(0)} ms`);
    await delay(1_000);
    const after = await this.#server.ask("usage", { collect: true });

    const name = `inbound/${POD_PORT}`;
    const { selectorPolicy, selected, meshPolicy, endpointFile, endpoints, endpointViewers, pods } = this.#mesh;
    const selectorEdits = { file: selectorPolicy, pods: selected, typeUrl: TYPE_URL.route, name, edits, first: 1 };
    progress(`warming up with ${WARM_UP_EDITS} edits`);
    await this.#edit({ ...selectorEdits, edits: WARM_UP_EDITS });
    progress(`${edits} edits that change a comment`);
    const noOpCpu = await this.#noOps(selectorPolicy, WARM_UP_EDITS, edits);
    progress(`${edits} edits of a policy that selects ${selected.length} sidecars`);
    const selectorEdit = await this.#edit({ ...selectorEdits, first: WARM_UP_EDITS + 1 });
    progress(`${edits} changes of one pod's readiness, seen by ${endpointViewers.length} sidecars`);
    const endpointChange = await this.#edit({
      ...{ file: endpointFile, pods: endpointViewers, typeUrl: TYPE_URL.endpoints, name: endpoints, edits, first: 1 },
    });
    progress(`${Math.min(edits, MESH_EDITS)} edits of a policy for the whole mesh`);
    const meshEdit = await this.#edit({
      ...{
        file: meshPolicy,
        pods: pods.map(({ key }) => key),
        typeUrl: TYPE_URL.route,
        name,
        edits: Math.min(edits, MESH_EDITS),
        first: 1,
      },
    });
    progress(`the floor: ${FLOOR_SAVES} file events with a write to ${selected.length} streams`);
    const floor = await this.#floor(started, selectorEdit.bytes / Math.max(1, selected.length));

    return {
      shape,
      transport: insecureXds ? "plaintext" : "tls",
      startMs: started.startMs,
      connect: {
        syncedMs: connected.synced,
        serverCpuMs: atPeak.cpu - before.cpu,
        clientCpuMs: connected.cpu,
        bytes: connected.bytes,
        peakRss: atPeak.peakRss,
      },
      memory: { rssBefore: before.rss, rssAfter: after.rss, heapBefore: before.heap, heapAfter: after.heap },
      floor,
      noOpCpu,
      selectorEdit,
      endpointChange,
      meshEdit,
    };
  }

  async #edit(series: {
    readonly file: EditableFile;
    readonly pods: Expectation["pods"];
    readonly typeUrl: string;
    readonly name: string;
    readonly edits: number;
    /** The revision that the first edit writes. */
    readonly first: number;
  }): Promise<EditResult> {
    const { file, pods, typeUrl, name, edits } = series;
    const expected = [...pods].sort().join();
    const last: number[] = [];
    const first: number[] = [];
    const cpu: number[] = [];
    const bytes: number[] = [];
    const touched: number[] = [];
    let exact = true;
    await this.#sidecars.ask("tally", null);
    for (let edit = 0; edit < edits; edit++) {
      const revision = series.first + edit;
      await this.#sidecars.ask("expect", { pods, typeUrl, name, marker: file.marker(revision) });
      const before = await this.#server.ask("usage", { collect: false });
      const saved = monotonic();
      saveAtomically(join(this.#configFolder, file.path), file.text(revision));
      const times = await this.#sidecars.ask("arrived", null);
      await this.#windowSince(saved);
      const after = await this.#server.ask("usage", { collect: false });
      const tally = await this.#sidecars.ask("tally", null);
      last.push(Math.max(...times) - saved);
      first.push(Math.min(...times) - saved);
      cpu.push(after.cpu - before.cpu);
      bytes.push(tally.bytes);
      touched.push(tally.touched.length);
      if (tally.touched.join() !== expected) exact = false;
    }
    return {
      edits,
      expected: pods.length,
      touched: [Math.min(...touched), Math.max(...touched)],
      exact,
      last: { p50: percentile(last, 0.5), p99: percentile(last, 0.99) },
      first: { p50: percentile(first, 0.5) },
      bytes: mean(bytes),
      cpu: mean(cpu),
    };
  }

  /** The same saves at the same pace, of which nothing follows. */
  async #noOps(file: EditableFile, revision: number, edits: number): Promise<number> {
    const cpu: number[] = [];
    for (let edit = 1; edit <= edits; edit++) {
      await this.#sidecars.ask("expect", { pods: [], typeUrl: "", name: "", marker: "" });
      const before = await this.#server.ask("usage", { collect: false });
      const saved = monotonic();
      saveAtomically(join(this.#configFolder, file.path), file.commented(revision, edit));
      await this.#windowSince(saved);
      const after = await this.#server.ask("usage", { collect: false });
      cpu.push(after.cpu - before.cpu);
    }
    return mean(cpu);
  }

  async #floor(started: { readonly floor: number; readonly floorCa: string }, bytes: number): Promise<ScenarioResult["floor"]> {
    await this.#server.ask("floorBytes", Math.round(bytes));
    await this.#sidecars.ask("connectFloor", { port: started.floor, ca: started.floorCa, streams: this.#mesh.selected.length });
    const event: number[] = [];
    const last: number[] = [];
    for (let save = 0; save < FLOOR_SAVES; save++) {
      const saved = monotonic();
      saveAtomically(join(this.#floorFolder, FLOOR_FILE), `# ${save}\n`);
      const times = await this.#sidecars.ask("floorArrived", null);
      event.push((await this.#server.ask("floorEvent", null)) - saved);
      last.push(Math.max(...times) - saved);
      await this.#windowSince(saved);
    }
    const [eventShares, lastShares] = [event, last].map((times) => ({ p50: percentile(times, 0.5), p99: percentile(times, 0.99) })) as [
      { p50: number; p99: number },
      { p50: number; p99: number },
    ];
    return { event: eventShares, last: lastShares };
  }

  async #windowSince(saved: number): Promise<void> {
    const left = this.#options.windowMs - (monotonic() - saved);
    if (left > 0) await delay(left);
  }
}
