/** The admin port of a control plane, as `seawall proxy`, `seawall explain` and the demo ask it. */
import type { SidecarStatus } from "../controller/admin/sidecars.ts";
import type { Explanation } from "../controller/explain/explain.ts";
import type { ExplainRequest } from "../controller/explain/explain-request.ts";
import { CommandFailure } from "./command-failure.ts";
import { type HostPort, showHostPort } from "./host-port.ts";

/** One resource that the control plane means a sidecar to have. */
export interface IntendedResource {
  /** The last part of the message's name, such as `Listener`. */
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly resource: unknown;
}

const PATIENCE_MS = 10_000;

export class ControlPlaneAdmin {
  readonly #address: HostPort;
  readonly #pod: string | undefined;

  /** `pod`: the replica of a cluster's control plane that the address leads to. */
  constructor(address: HostPort, pod?: string) {
    this.#address = address;
    this.#pod = pod;
  }

  async sidecars(): Promise<readonly SidecarStatus[]> {
    return (await this.#json("/debug/sidecars")) as readonly SidecarStatus[];
  }

  /** What a pod's sidecar is meant to run; undefined when the control plane knows no such pod. */
  async intended(pod: string): Promise<readonly IntendedResource[] | undefined> {
    const answer = await this.#ask(`/debug/config/${pod}`);
    if (answer.status === 404) return undefined;
    return (JSON.parse(await this.#body(answer)) as { readonly resources: readonly IntendedResource[] }).resources;
  }

  async explain(request: ExplainRequest): Promise<Explanation> {
    return (await this.#json("/debug/explain", { method: "POST", body: JSON.stringify(request) })) as Explanation;
  }

  async loopbackPorts(): Promise<ReadonlyMap<string, number>> {
    const services = (await this.#json("/debug/services")) as readonly { readonly key: string; readonly loopbackPort?: number }[];
    return new Map(services.flatMap(({ key, loopbackPort }) => (loopbackPort === undefined ? [] : [[key, loopbackPort] as const])));
  }

  /** The time by the control plane's own clock: Unix milliseconds, to the second. */
  async time(): Promise<number> {
    const answer = await this.#ask("/healthz");
    await this.#body(answer);
    return Date.parse(answer.headers.get("date") ?? "");
  }

  /** The body of any path, as it is. */
  async text(path: string): Promise<string> {
    return this.#body(await this.#ask(path));
  }

  /** The sum of a metric over all of its labels. */
  async metric(name: string): Promise<number> {
    const text = await this.text("/metrics");
    let sum = 0;
    for (const [, value] of text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))) sum += Number(value);
    return sum;
  }

  async #json(path: string, request?: RequestInit): Promise<unknown> {
    return JSON.parse(await this.#body(await this.#ask(path, request))) as unknown;
  }

  async #body(answer: Response): Promise<string> {
    const text = await answer.text();
    if (answer.ok) return text;
    throw CommandFailure.failed(`the control plane answered ${answer.status}: ${messageIn(text)}`);
  }

  async #ask(path: string, request: RequestInit = {}): Promise<Response> {
    try {
      return await fetch(`http://${showHostPort(this.#address)}${path}`, { ...request, signal: AbortSignal.timeout(PATIENCE_MS) });
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
      const message =
        this.#pod === undefined
          ? `the control plane's admin port at ${showHostPort(this.#address)} does not answer (${cause}). Is \`seawall serve\` running? --admin names another address.`
          : `the control plane's pod ${this.#pod} does not answer on its admin port (${cause}). seawall check says more.`;
      throw CommandFailure.failed(message, error);
    }
  }
}

function messageIn(text: string): string {
  try {
    return (JSON.parse(text) as { error?: string }).error ?? text.trim();
  } catch {
    return text.trim();
  }
}
