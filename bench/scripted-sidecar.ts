/**
 * One sidecar that behaves on its stream as Envoy does: clusters first, their endpoints and secrets by name, then
 * listeners, their routes and extensions by name; everything is acknowledged.
 */
import { createHash } from "node:crypto";
import { TYPE_URL } from "../xds-server/delta/resource-types.ts";
import type { ReceivedResponse, ScriptedClient, ScriptedStream } from "../xds-server/delta/testing/scripted-client.ts";
import { monotonic } from "./monotonic.ts";
import { referencedNames } from "./referenced-names.ts";

/** A response that came after the sidecar had everything. */
export interface Arrival {
  /** On the {@link monotonic} clock. */
  readonly at: number;
  readonly response: ReceivedResponse;
  /** Resources whose version is not the one that the sidecar had before. */
  readonly changed: readonly { readonly typeUrl: string; readonly name: string; readonly message: Uint8Array }[];
}

export class ScriptedSidecar {
  readonly pod: string;
  readonly stream: ScriptedStream;
  /** Resolves with the time at which everything that the sidecar asked for had come. Rejects when the stream ends before. */
  readonly synced: Promise<number>;
  readonly #onArrival: (arrival: Arrival, sidecar: ScriptedSidecar) => void;
  readonly #versions = new Map<string, string>();
  readonly #asked = new Set<string>();
  readonly #unanswered = new Set<string>();
  #reportSynced: (at: number) => void = () => undefined;
  #isSynced = false;

  constructor(client: ScriptedClient, pod: string, token: string, onArrival: (arrival: Arrival, sidecar: ScriptedSidecar) => void) {
    this.pod = pod;
    this.#onArrival = onArrival;
    this.stream = client.open(token);
    this.synced = new Promise((resolve, reject) => {
      this.#reportSynced = resolve;
      void this.stream.ended.then(({ code, message }) => reject(new Error(`the stream of ${pod} ended with ${code}: ${message}`)));
    });
    this.stream.onResponse = (response) => this.#receive(response);
    this.#ask(TYPE_URL.cluster, []);
  }

  #ask(typeUrl: string, names: readonly string[]): void {
    const isFirst = !this.#asked.has(typeUrl);
    const fresh = [...new Set(names)].filter((name) => !this.#asked.has(keyOf(typeUrl, name)));
    if (!isFirst && fresh.length === 0) return;
    this.#asked.add(typeUrl);
    if (names.length === 0) this.#unanswered.add(typeUrl);
    for (const name of fresh) {
      this.#asked.add(keyOf(typeUrl, name));
      this.#unanswered.add(keyOf(typeUrl, name));
    }
    this.stream.send({ typeUrl, subscribe: fresh, ...(this.#asked.size === 1 ? { nodeId: this.pod } : {}) });
  }

  #receive(response: ReceivedResponse): void {
    const at = monotonic();
    const { typeUrl } = response;
    this.stream.ack(response);
    this.#unanswered.delete(typeUrl);
    const changed: { typeUrl: string; name: string; message: Uint8Array }[] = [];
    const wanted = new Map<string, string[]>();
    for (const resource of response.resources) {
      const key = keyOf(typeUrl, resource.name);
      this.#unanswered.delete(key);
      if (this.#versions.get(key) === resource.version) continue;
      this.#versions.set(key, resource.version);
      changed.push(resource);
      if (this.#isSynced && typeUrl !== TYPE_URL.secret) verifyVersion(resource);
      for (const { typeUrl: type, name } of referencedNames(resource)) wanted.set(type, [...(wanted.get(type) ?? []), name]);
    }
    for (const name of response.removed) {
      this.#unanswered.delete(keyOf(typeUrl, name));
      this.#versions.delete(keyOf(typeUrl, name));
    }
    for (const [type, names] of wanted) this.#ask(type, names);
    if (this.#isSynced) this.#onArrival({ at, response, changed }, this);
    else if (this.#unanswered.size === 0) {
      if (!this.#asked.has(TYPE_URL.listener)) this.#ask(TYPE_URL.listener, []);
      else {
        this.#isSynced = true;
        this.#reportSynced(at);
      }
    }
  }
}

function keyOf(typeUrl: string, name: string): string {
  return `${typeUrl} ${name}`;
}

/** A version is a hash of what the resource says, so equal versions are equal configurations. */
function verifyVersion({
  name,
  version,
  message,
}: {
  readonly name: string;
  readonly version: string;
  readonly message: Uint8Array;
}): void {
  const expected = createHash("sha256").update(message).digest("hex").slice(0, version.length);
  if (version !== expected) throw new Error(`${name} has the version ${version}, and its content ${expected}`);
}
