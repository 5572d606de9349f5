/** A graph that follows a real API server, and everything that was seen of it. */
import { until, within } from "../../../../e2e/support/eventually.ts";
import type { Source } from "../../../collections/collection.ts";
import { Graph } from "../../../collections/graph.ts";
import type { KubernetesApi } from "../../../kubernetes/api.ts";
import type { SourceEntry } from "../../../model/source-entry.ts";
import { testKinds } from "../../files/testing/kinds.ts";
import { KubernetesSource } from "../kubernetes-source.ts";
import type { WatchTiming } from "../reflector.ts";

/** As short as a test may ask of a real server. */
const QUICK: Partial<WatchTiming> = { absentMs: 100, backoff: { firstMs: 20, mostMs: 200 } };

export interface FollowOptions {
  readonly api: KubernetesApi;
  readonly kinds?: readonly string[];
  readonly timing?: Partial<WatchTiming>;
}

const KINDS = ["Namespace", "Pod", "Service", "EndpointSlice", "ServiceAccount", "Guard", "ClusterPace"];

export class FollowedCluster implements AsyncDisposable {
  readonly #graph: Graph;
  readonly #sources: ReadonlyMap<string, Source<string, SourceEntry>>;
  readonly source: KubernetesSource;
  /** `<added|updated|removed> <key>` of every change that a tick brought, in order. */
  readonly changes: string[] = [];
  /** `<kind> <what>`: lists, events and interruptions. */
  readonly observed: string[] = [];
  readonly logged: string[] = [];
  #waiting: (() => void)[] = [];

  constructor({ api, kinds = KINDS, timing }: FollowOptions) {
    this.#graph = new Graph({ onTick: () => this.#wake() });
    this.#sources = new Map(kinds.map((kind) => [kind, this.#graph.source(kind)]));
    for (const source of this.#sources.values()) {
      source.onChange((changes) => {
        for (const [key, { kind }] of changes) this.changes.push(`${kind} ${key}`);
      });
    }
    const observe = (line: string): void => {
      this.observed.push(line);
      this.#wake();
    };
    this.source = KubernetesSource.open({
      api,
      kinds: testKinds,
      source: (kind) => this.#sources.get(kind),
      timing: { ...QUICK, ...timing },
      log: (level, message) => {
        this.logged.push(`${level} ${message}`);
        this.#wake();
      },
      observer: {
        onList: (kind, objects) => observe(`${kind} list ${objects}`),
        onEvent: (kind, type) => observe(`${kind} ${type}`),
        onInterruption: (kind, reason) => observe(`${kind} ${reason}`),
      },
    });
  }

  get synced(): boolean {
    return [...this.#sources.values()].every(({ synced }) => synced);
  }

  entry(key: string): SourceEntry | undefined {
    return this.#sources.get(key.slice(0, key.indexOf("/")))?.get(key);
  }

  keys(kind: string): string[] {
    return [...(this.#sources.get(kind)?.keys() ?? [])].sort();
  }

  state(kind: string): string | undefined {
    return this.source.states.find((state) => state.kind === kind)?.state;
  }

  /** Resolves when the condition holds; looks at it after every tick, observation and log line. */
  async until(condition: () => boolean): Promise<void> {
    const coming = async (): Promise<void> => {
      while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    };
    const context = (): string => [...this.observed.slice(-20), ...this.logged, ...this.changes.slice(-20)].join("\n");
    await within(`it holds that ${String(condition)}`, coming(), { context });
  }

  /** Resolves when every kind is known and watched. */
  async untilWatching(): Promise<void> {
    await this.until(() => this.synced);
    // A state is entered without a sound.
    await until("every kind is watched or absent", () =>
      this.source.states.every(({ state }) => state === "Watching" || state === "Absent"),
    );
  }

  /** How often something was observed. */
  count(line: string): number {
    return this.observed.filter((observed) => observed === line).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.close();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
