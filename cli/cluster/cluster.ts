/** A cluster, as the commands look into it. Everything here only reads, but for dry runs. */
import { type KubernetesApi, KubernetesApiError } from "../../controller/kubernetes/api.ts";
import type { ClusterAccess } from "../../controller/kubernetes/cluster-access.ts";
import type { Terminal } from "../terminal.ts";
import type { ClusterOptions } from "./cluster-options.ts";
import { isRunning, type KubePod, SEAWALL } from "./objects.ts";

/** A port of a pod, reachable on this machine's loopback until it is closed. */
export interface OpenPort {
  readonly host: string;
  readonly port: number;
  /** Harmless the second time. */
  close(): Promise<void>;
}

export class Cluster implements AsyncDisposable {
  readonly api: KubernetesApi;
  readonly #access: ClusterAccess;
  readonly #close: () => void;
  readonly #open = new Set<() => Promise<void>>();

  private constructor(api: KubernetesApi, access: ClusterAccess, close: () => void) {
    this.api = api;
    this.#access = access;
    this.#close = close;
  }

  /** Rejects with a ClusterAccessError that says which file or context is missing. */
  static async connect(options: ClusterOptions, terminal: Terminal): Promise<Cluster> {
    const { connectKubernetes } = await import("../../controller/kubernetes/connect.ts");
    const connection = await connectKubernetes({ ...options, environment: terminal.environment });
    return new Cluster(connection.api, connection.access, () => connection.close());
  }

  /** Every object of a list, page by page. `path` is the list's: `/api/v1/pods`. */
  async list<T>(path: string, query: Readonly<Record<string, string>> = {}): Promise<T[]> {
    const items: T[] = [];
    for (let next = ""; ;) {
      const page = (await this.api.get({ path, query: { limit: "500", ...query, ...(next === "" ? {} : { continue: next }) } })) as {
        readonly items?: readonly T[];
        readonly metadata?: { readonly continue?: string };
      };
      items.push(...(page.items ?? []));
      next = page.metadata?.continue ?? "";
      if (next === "") return items;
    }
  }

  /** The same of a kind that not every cluster has; undefined where it is not installed. */
  async listIfInstalled<T>(path: string): Promise<T[] | undefined> {
    try {
      return await this.list<T>(path);
    } catch (error) {
      if (error instanceof KubernetesApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** An object; undefined when there is none. */
  async find(path: string): Promise<unknown> {
    try {
      return await this.api.get({ path });
    } catch (error) {
      if (error instanceof KubernetesApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** The pods of the control plane, whatever state they are in, by name. */
  async controlPlanePods(): Promise<readonly KubePod[]> {
    const pods = await this.list<KubePod>(`/api/v1/namespaces/${SEAWALL.namespace}/pods`, { labelSelector: SEAWALL.selector });
    return pods
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  }

  async runningControlPlanePods(): Promise<readonly KubePod[]> {
    return (await this.controlPlanePods()).filter(isRunning);
  }

  /** Opens a way to a port of a pod's loopback. It ends with the cluster at the latest. */
  async openPort(namespace: string, pod: string, port: number): Promise<OpenPort> {
    const { forwardPort } = await import("../../controller/kubernetes/port-forward.ts");
    const opened = await forwardPort(this.#access, { namespace, pod, port });
    const close = async (): Promise<void> => {
      if (this.#open.delete(close)) await opened.close();
    };
    this.#open.add(close);
    return { host: opened.host, port: opened.port, close };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((end) => end()));
    this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
