import type { Cluster } from "../cluster/cluster.ts";

export interface CallRequest {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A response, or why there was none. */
export interface CallResult {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly failure?: string;
}

/** What came of calls that were made again and again. */
export interface Load {
  readonly calls: number;
  /** Calls that were not answered with 200; at most the first 100. */
  readonly failures: readonly object[];
  /** Calls by the host name that answered. */
  readonly answeredBy: Readonly<Record<string, number>>;
}

/** A pod of a client's Deployment (programs/client.mjs), told what to do by `kubectl exec`. */
export class Client {
  readonly #cluster: Cluster;
  readonly #namespace: string;
  readonly #name: string;

  constructor(cluster: Cluster, namespace: string, name: string) {
    this.#cluster = cluster;
    this.#namespace = namespace;
    this.#name = name;
  }

  call(request: CallRequest): Promise<CallResult> {
    return this.#ask({ action: "call", ...request });
  }

  /** Speaks bytes. `heard` is what came until `until` bytes had. */
  talk(peer: { host: string; port: number; say?: string; until?: number }): Promise<{ heard: string; outcome: string }> {
    return this.#ask({ action: "talk", ...peer });
  }

  /** Calls again and again from several workers, until {@link stopLoad}. */
  async startLoad(name: string, request: CallRequest): Promise<void> {
    await this.#ask({ action: "start", name, request });
  }

  look(name: string): Promise<Load> {
    return this.#ask({ action: "look", name });
  }

  stopLoad(name: string): Promise<Load> {
    return this.#ask({ action: "stop", name });
  }

  async #ask<Answer>(question: object): Promise<Answer> {
    const script = `fetch("http://127.0.0.1:7000",{method:"POST",body:process.argv[1]}).then(r=>r.text()).then(t=>process.stdout.write(t))`;
    const answer = await this.#cluster.kubectl(
      ...["exec", "-n", this.#namespace, `deploy/${this.#name}`, "-c", "app", "--"],
      ...["node", "-e", script, JSON.stringify(question)],
    );
    return JSON.parse(answer) as Answer;
  }
}
