/** The process that holds all scripted sidecars, each with a connection and a token of its own. It binds nothing. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { systemClock } from "../ca/clock.ts";
import { JoinTokenKey } from "../ca/join-token.ts";
import { systemRandomness } from "../ca/randomness.ts";
import { StateFolder } from "../ca/state-folder.ts";
import { ScriptedClient, type ScriptedTarget } from "../xds-server/delta/testing/scripted-client.ts";
import { monotonic } from "./monotonic.ts";
import { answerParent } from "./process-link.ts";
import { type Arrival, ScriptedSidecar } from "./scripted-sidecar.ts";
import type { Expectation, SidecarsParameters, SidecarsProtocol } from "./sidecars-protocol.ts";

const HOUR_MS = 3_600_000;

const { stateFolder, pods, insecureXds } = JSON.parse(process.argv[2] ?? "") as SidecarsParameters;
const tokens = new Map<string, string>();
const clients: ScriptedClient[] = [];

/** What has come since the last tally. */
let touched = new Set<string>();
let responses = 0;
let bytes = 0;

/** Collects the first time at which each of some receivers got something, and tells when all have. */
class Arrivals {
  readonly complete: Promise<readonly number[]>;
  readonly #missing: Set<string>;
  readonly #times: number[] = [];
  #done: (times: readonly number[]) => void = () => undefined;

  constructor(receivers: readonly string[]) {
    this.#missing = new Set(receivers);
    this.complete = new Promise((resolve) => (this.#done = resolve));
    if (receivers.length === 0) this.#done([]);
  }

  arrived(receiver: string, at: number): void {
    if (!this.#missing.delete(receiver)) return;
    this.#times.push(at);
    if (this.#missing.size === 0) this.#done(this.#times);
  }
}

let expectation: Expectation | undefined;
let marker = Buffer.alloc(0);
let arrivals = new Arrivals([]);
let floorStreams: readonly string[] = [];
let floorArrivals = new Arrivals([]);

function receive({ at, response, changed }: Arrival, { pod }: ScriptedSidecar): void {
  touched.add(pod);
  responses++;
  bytes += response.bytes.length;
  const isExpected = changed.some(
    ({ typeUrl, name, message }) =>
      typeUrl === expectation?.typeUrl &&
      name === expectation.name &&
      Buffer.from(message.buffer, message.byteOffset, message.length).includes(marker),
  );
  if (isExpected) arrivals.arrived(pod, at);
}

answerParent<SidecarsProtocol>(
  {
    async prepare() {
      const key = JoinTokenKey.open(StateFolder.open(stateFolder, "read"));
      for (const { key: pod, namespace, name } of pods) {
        const request = { namespace, pod: name, ttl: 24 * HOUR_MS };
        tokens.set(pod, (await key.sign(request, systemClock, systemRandomness)).token);
      }
      return null;
    },
    async connect({ port }) {
      const ca = readFileSync(join(stateFolder, "trust.pem"), "utf8");
      const target: ScriptedTarget = {
        host: "127.0.0.1",
        port,
        ...(insecureXds ? {} : { tls: { ca, secureContext: createSecureContext({ ca, minVersion: "TLSv1.3" }) } }),
      };
      const { user, system } = process.cpuUsage();
      const started = monotonic();
      const sidecars = await Promise.all(
        pods.map(async ({ key }) => {
          const client = new ScriptedClient(target);
          clients.push(client);
          await client.connected();
          return new ScriptedSidecar(client, key, tokens.get(key) ?? "", receive);
        }),
      );
      const times = await Promise.all(sidecars.map((sidecar) => sidecar.synced));
      const used = process.cpuUsage({ user, system });
      return {
        synced: Math.max(...times) - started,
        first: Math.min(...times) - started,
        bytes: sidecars.reduce((sum, { stream }) => sum + stream.bytesReceived, 0),
        cpu: (used.user + used.system) / 1000,
      };
    },
    expect(expected) {
      expectation = expected;
      marker = Buffer.from(expected.marker);
      arrivals = new Arrivals(expected.pods);
      return null;
    },
    arrived: () => arrivals.complete,
    tally() {
      const tally = { touched: [...touched].sort(), responses, bytes };
      touched = new Set();
      responses = 0;
      bytes = 0;
      return tally;
    },
    async connectFloor({ port, ca, streams }) {
      const target: ScriptedTarget = { host: "127.0.0.1", port, ...(insecureXds ? {} : { tls: { ca } }) };
      floorStreams = Array.from({ length: streams }, (_, index) => String(index));
      for (const name of floorStreams) {
        const client = await new ScriptedClient(target).connected();
        clients.push(client);
        const stream = client.open(undefined);
        await stream.next();
        stream.onResponse = (response) => {
          floorArrivals.arrived(name, monotonic());
          stream.ack(response);
        };
      }
      floorArrivals = new Arrivals(floorStreams);
      return null;
    },
    async floorArrived() {
      const times = await floorArrivals.complete;
      floorArrivals = new Arrivals(floorStreams);
      return times;
    },
  },
  () => {
    for (const client of clients) client.close();
  },
);
