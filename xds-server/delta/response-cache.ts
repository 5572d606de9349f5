import { encodeResponse } from "./encoding.ts";
import type { EncodedResource } from "./feed.ts";
import type { TableResource } from "./resource-table.ts";

/** One response as it goes to every stream that it fits. */
export interface EncodedResponse {
  readonly bytes: Buffer;
  readonly nonce: string;
  /** How many resources it brings. */
  readonly count: number;
  /** Those of them that are not private. */
  readonly resources: readonly EncodedResource[];
  readonly removed: readonly string[];
}

/** Beyond this many bytes a generation takes no more: what is built then is sent and forgotten. */
const GENERATION_LIMIT = 32 << 20;

/**
 * Builds each distinct response once. Streams that need the same resources get the same bytes, nonce included: a nonce
 * names a content, not a stream. What the last two updates needed is kept, but for what one subscriber alone could need.
 */
export class ResponseCache {
  #recent = new Map<string, EncodedResponse>();
  #recentBytes = 0;
  #previous: ReadonlyMap<string, EncodedResponse> = new Map();
  #nonce = 0;

  /** A new update has come: what nobody needed since the one before is forgotten. */
  rotate(): void {
    if (this.#recent.size === 0) return;
    this.#previous = this.#recent;
    this.#recent = new Map();
    this.#recentBytes = 0;
  }

  response(typeUrl: string, added: readonly TableResource[], removed: readonly string[]): EncodedResponse {
    if (added.some(isForOneView)) return this.#build(typeUrl, added, removed);
    let key = typeUrl;
    for (const resource of added) key += `+${resource.serial}`;
    for (const name of removed) key += `-${JSON.stringify(name)}`;
    const recent = this.#recent.get(key);
    if (recent) return recent;
    const response = this.#previous.get(key) ?? this.#build(typeUrl, added, removed);
    if (this.#recentBytes + response.bytes.length <= GENERATION_LIMIT) {
      this.#recent.set(key, response);
      this.#recentBytes += response.bytes.length;
    }
    return response;
  }

  /** A response with a resource that is for one stream alone; nothing of it is kept. */
  unshared(resource: EncodedResource): EncodedResponse {
    const nonce = this.#nextNonce();
    return { nonce, bytes: encodeResponse(resource.typeUrl, [resource.entry], [], nonce), count: 1, resources: [], removed: [] };
  }

  #build(typeUrl: string, added: readonly TableResource[], removed: readonly string[]): EncodedResponse {
    const nonce = this.#nextNonce();
    const resources = added.flatMap(({ content }) => content ?? []);
    const entries = resources.map(({ entry }) => entry);
    return { nonce, bytes: encodeResponse(typeUrl, entries, removed, nonce), count: entries.length, resources, removed };
  }

  #nextNonce(): string {
    return String(++this.#nonce);
  }
}

/** Looks no further than the second view: a global resource may be in thousands of layers. */
function isForOneView({ layers }: TableResource): boolean {
  let views = 0;
  for (const layer of layers) {
    views += layer.views.size;
    if (views > 1) return false;
  }
  return views === 1;
}
