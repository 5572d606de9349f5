/** Edits a policy file while a stream is open, and measures what that costs and whom it touches. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { CommandFailure } from "../command-failure.ts";
import { call } from "./call.ts";
import type { Shop } from "./shop.ts";

export interface EditResult {
  readonly what: string;
  /** From the save until the last affected sidecar enforced it. */
  readonly milliseconds: number;
  readonly bytesPushed: number;
  readonly sidecarsTouched: readonly string[];
  readonly connectionsClosed: number;
  readonly listenersModified: number;
  /** What arrived on the open stream during the edit; 0 when it was cut. */
  readonly eventsReceived: number;
  readonly passed: boolean;
}

const FILE = "access.yaml";
const RULE = /(name: web-reads[\s\S]*?methods: )\[[^\]]*\]/;
const PATIENCE_MS = 60_000;
const AFFECTED = ["orders-v1", "orders-v2"];

/** Lets web write orders, then takes that back: each way is one edit. Throws CommandFailure when it never takes effect. */
export async function editPolicy(shop: Shop): Promise<readonly EditResult[]> {
  const stream = await OpenStream.open(shop);
  try {
    return [
      await edit(shop, stream, "web may POST to orders", "[GET, POST]", 201),
      await edit(shop, stream, "and may no longer", "[GET]", 403),
    ];
  } finally {
    stream.close();
  }
}

async function edit(shop: Shop, stream: OpenStream, what: string, methods: string, awaited: number): Promise<EditResult> {
  const file = join(shop.configFolder, FILE);
  const text = readFileSync(file, "utf8");
  const edited = text.replace(RULE, `$1${methods}`);
  if (edited === text) throw CommandFailure.failed(`${file} no longer holds the rule that the demo edits`);
  const staged = join(shop.folder, FILE);
  writeFileSync(staged, edited);
  const callers = AFFECTED.map((pod) => new Caller(shop, pod));
  try {
    // Connections are there already, as in a shop that is open.
    await Promise.all(callers.map((caller) => caller.ask()));
    const before = await Snapshot.take(shop);
    const eventsBefore = stream.events;
    renameSync(staged, file);
    const saved = performance.now();
    const enforced = await Promise.all(callers.map((caller) => caller.untilAnswered(awaited)));
    await stream.next();
    const after = await Snapshot.take(shop);
    const sidecarsTouched = shop.pods.filter((pod) => (after.pushes.get(pod) ?? 0) > (before.pushes.get(pod) ?? 0));
    const connectionsClosed = after.closed - before.closed + (stream.isOpen ? 0 : 1);
    const listenersModified = after.listenersModified - before.listenersModified;
    return {
      what,
      milliseconds: Math.max(...enforced) - saved,
      bytesPushed: after.bytes - before.bytes,
      sidecarsTouched,
      connectionsClosed,
      listenersModified,
      eventsReceived: stream.isOpen ? stream.events - eventsBefore : 0,
      passed: connectionsClosed === 0 && listenersModified === 0 && stream.isOpen && sidecarsTouched.join() === AFFECTED.join(),
    };
  } finally {
    for (const caller of callers) caller.close();
  }
}

/** Web, asking one version of orders over and over on one connection. */
class Caller {
  readonly #shop: Shop;
  readonly #pod: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(shop: Shop, pod: string) {
    this.#shop = shop;
    this.#pod = pod;
  }

  async ask(): Promise<number> {
    const url = `http://${this.#pod}.shop/orders`;
    return (await call({ method: "POST", url, proxy: this.#shop.proxy("web"), agent: this.#agent })).status;
  }

  /** When the answer was first the awaited one, on the clock of `performance`. */
  async untilAnswered(awaited: number): Promise<number> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const status = await this.ask();
      const now = performance.now();
      if (status === awaited) return now;
      if (now > deadline) {
        throw CommandFailure.failed(
          `the edited policy is not enforced by ${this.#pod} after ${PATIENCE_MS / 1_000} s: it answers ${status}`,
        );
      }
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** What sidecars and control plane have counted at one moment. */
class Snapshot {
  readonly pushes: ReadonlyMap<string, number>;
  readonly bytes: number;
  readonly closed: number;
  readonly listenersModified: number;

  private constructor(pushes: ReadonlyMap<string, number>, bytes: number, closed: number, listenersModified: number) {
    this.pushes = pushes;
    this.bytes = bytes;
    this.closed = closed;
    this.listenersModified = listenersModified;
  }

  static async take(shop: Shop): Promise<Snapshot> {
    const sidecars = await shop.admin.sidecars();
    const pushes = sidecars.map(({ subscriber, stream }) => {
      const count = (stream?.types ?? []).reduce((sum, type) => sum + type.pushes, 0);
      return [subscriber.split("/")[1] ?? "", count] as const;
    });
    const bytes = sidecars.reduce((sum, { stream }) => sum + (stream?.bytesSent ?? 0), 0);
    let closed = 0;
    let modified = 0;
    for (const pod of shop.pods) {
      for (const [name, value] of await shop.sidecarAdmin(pod).stats(COUNTED)) {
        if (name.startsWith("http.admin.")) continue;
        if (name.startsWith("listener_manager.")) modified += value;
        else closed += value;
      }
    }
    return new Snapshot(new Map(pushes), bytes, closed, modified);
  }
}

/** Connections that Envoy closed by itself, and listeners that it replaced. */
const COUNTED =
  "^http\\..*\\.downstream_cx_(drain_close|destroy_local)$|^listener_manager\\.listener_(modified|removed|in_place_updated|added|stopped)$";

/** A response that never ends. */
class OpenStream {
  #events = 0;
  #open = true;
  #arrived = Promise.withResolvers<undefined>();
  readonly #stop: () => void;

  private constructor(url: string, proxy: string) {
    const [host = "", port = ""] = proxy.split(":");
    const ended = (): void => {
      this.#open = false;
      this.#arrived.resolve(undefined);
    };
    const sent = get({ host, port, path: url, headers: { host: new URL(url).host }, agent: false }, (answer) => {
      if (answer.statusCode !== 200) ended();
      answer.on("data", () => this.#arrive());
      answer.once("end", ended);
      answer.once("error", ended);
    });
    sent.once("error", ended);
    this.#stop = () => sent.destroy();
  }

  static async open(shop: Shop): Promise<OpenStream> {
    const stream = new OpenStream("http://orders.shop/orders/events", shop.proxy("web"));
    await stream.next();
    if (!stream.isOpen) throw CommandFailure.failed("the stream of events could not be opened");
    return stream;
  }

  get events(): number {
    return this.#events;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Waits for the next event, or for the end. */
  async next(): Promise<void> {
    if (this.#open) await this.#arrived.promise;
  }

  close(): void {
    this.#stop();
  }

  #arrive(): void {
    this.#events += 1;
    const arrived = this.#arrived;
    this.#arrived = Promise.withResolvers();
    arrived.resolve(undefined);
  }
}
