import { within } from "../../../e2e/support/eventually.ts";
import { DeltaServer, type DeltaServerOptions, type ListenOptions } from "../delta-server.ts";
import type { AuthenticatedSubscriber, EncodedResource } from "../feed.ts";
import type { Push } from "../observer.ts";
import { ScriptedClient, type ScriptedTarget } from "./scripted-client.ts";
import { TestFeed } from "./test-feed.ts";

/** A real server on a port of the system's choice, and the clients that talk to it. */
export class TestServer implements AsyncDisposable {
  readonly server: DeltaServer;
  /** Who each token is. A token that is not here, or has no entry, is not accepted. */
  readonly tokens: Map<string, AuthenticatedSubscriber>;
  readonly feed = new TestFeed();
  /** What the observer heard, in words. */
  readonly events: string[];
  readonly lines: string[];
  readonly pushes: Push[];
  target: ScriptedTarget = { host: "127.0.0.1", port: 0 };
  readonly #clients: ScriptedClient[] = [];
  readonly #waiting = new Set<() => void>();

  private constructor(options: Partial<DeltaServerOptions>) {
    const tokens = new Map<string, AuthenticatedSubscriber>();
    const events: string[] = [];
    const lines: string[] = [];
    const pushes: Push[] = [];
    const event = (text: string): void => {
      events.push(text);
      for (const check of this.#waiting) check();
    };
    this.tokens = tokens;
    this.events = events;
    this.lines = lines;
    this.pushes = pushes;
    this.server = new DeltaServer({
      authenticator: {
        authenticate: (token) => {
          if (token === undefined) return Promise.reject(new Error("a bearer token is missing"));
          const identity = tokens.get(token);
          return identity ? Promise.resolve(identity) : Promise.reject(new Error("the token is not one of ours"));
        },
      },
      observer: {
        onConnected: (subscriber) => event(`connected ${subscriber}`),
        onDisconnected: (subscriber, _peer, reason) => event(`disconnected ${subscriber} ${reason}`),
        onAcknowledged: (subscriber, sequence) => event(`acknowledged ${subscriber} ${sequence}`),
        onNack: (subscriber, { names, message }) => event(`nack ${subscriber} ${names.join()} ${message}`),
        onPush: (_subscriber, push) => pushes.push(push),
        onRefused: (reason) => event(`refused ${reason}`),
      },
      log: (line) => lines.push(line),
      ...options,
    });
  }

  static async start(
    options: Partial<DeltaServerOptions> = {},
    security: ListenOptions["security"] = { kind: "insecure" },
    root?: string,
    port = 0,
  ): Promise<TestServer> {
    const test = new TestServer(options);
    const address = await test.server.listen({ host: "127.0.0.1", port, security });
    test.target = { ...address, ...(root === undefined ? {} : { tls: { ca: root } }) };
    return test;
  }

  /** Lets a token in: for this long, counted from `now`. */
  admit(token: string, subscriber: string, lifetimeMs = 3_600_000, now = Date.now()): void {
    this.tokens.set(token, { subscriber, expiresAt: now + lifetimeMs });
  }

  /** Everybody sees these resources. */
  share(resources: readonly EncodedResource[], ...subscribers: readonly string[]): ReturnType<DeltaServer["apply"]> {
    const state = { layers: { shared: resources }, subscribers: Object.fromEntries(subscribers.map((key) => [key, ["shared"]])) };
    return this.server.apply(this.feed.to(state));
  }

  async connect(target: ScriptedTarget = this.target): Promise<ScriptedClient> {
    const client = new ScriptedClient(target);
    this.#clients.push(client);
    return client.connected();
  }

  /** Resolves when the observer has heard this as many times. */
  async heard(text: string, times = 1): Promise<void> {
    const isHeard = (): boolean => this.events.filter((event) => event === text).length >= times;
    if (isHeard()) return;
    const hearing = new Promise<void>((resolve) => {
      const check = (): void => {
        if (!isHeard()) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
    });
    await within(`the observer hears ${times} times "${text}"`, hearing, { context: () => this.events.join("\n") });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.server.stop();
  }
}
