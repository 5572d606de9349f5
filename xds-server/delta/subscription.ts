/**
 * One type on one stream: what the sidecar asked for and what it still has to be told. A stream keeps no list of what
 * it was sent; it keeps the names whose newest state the sidecar does not have yet, usually none.
 */
import type { EncodedResource } from "./feed.ts";
import type { DeltaRequest } from "./request.ts";
import type { TableResource, View } from "./resource-table.ts";
import type { ResourceType } from "./resource-types.ts";

/** A response that the sidecar has not answered yet. */
export interface Outstanding {
  readonly nonce: string;
  /** The earliest update that it tells of; Infinity when it tells of none. */
  readonly first: number;
  /** Unix milliseconds. */
  readonly since: number;
  readonly resources: readonly EncodedResource[];
  readonly removed: readonly string[];
  /** The private resource that it carries, by name: its content is not kept. */
  readonly privateName?: string;
}

/** Envoy's refusal of a response. */
export interface Nack {
  readonly typeUrl: string;
  /** The resources of the refused response, or of the half of it that was tried again. */
  readonly names: readonly string[];
  /** Envoy's words. */
  readonly message: string;
  /** Unix milliseconds. */
  readonly at: number;
  /** True while the culprit is being looked for: the halves of the response follow, each once. */
  readonly narrowing: boolean;
}

/** What goes into one response. */
export interface Delta {
  readonly added: readonly TableResource[];
  readonly removed: readonly string[];
  /** The earliest update that it tells of. */
  readonly first: number;
}

const EVERYTHING = "*";

export class Subscription {
  readonly type: ResourceType;
  pushes = 0;
  nacks = 0;
  lastNack: Nack | undefined;
  /** Unix milliseconds since when changes wait for other types to be acknowledged. */
  heldSince: number | undefined;

  /** In the order of sending. More than one only when an answer is long overdue. */
  readonly #outstanding: Outstanding[] = [];
  #wildcard = false;
  readonly #names = new Set<string>();
  /** A wildcard's first request is answered even if with nothing: Envoy waits for that, and it resets its reconnect backoff. */
  #owesAnswer = false;
  /** Names that were just asked for: they are answered at once, whatever the order of types says. */
  #asked: Set<string> | undefined;
  #askedFirst = Infinity;
  /** Names that may differ from what the sidecar has. May be shared with other streams, and may name what is not subscribed. */
  #dirty: ReadonlySet<string> | undefined;
  #dirtyFirst = Infinity;
  #dirtyLast = 0;
  #onlyRemovals = false;
  /** Parts of a refused response, each to be tried once on its own: Envoy drops a whole response for one bad resource. */
  #suspects: (readonly string[])[] = [];
  #suspectsFirst = Infinity;
  /** Versions that Envoy refused, by name. They are not sent again. */
  readonly #rejected = new Map<string, string>();

  constructor(type: ResourceType) {
    this.type = type;
  }

  get wildcard(): boolean {
    return this.#wildcard;
  }

  get names(): ReadonlySet<string> {
    return this.#names;
  }

  get rejected(): ReadonlyMap<string, string> {
    return this.#rejected;
  }

  get dirty(): boolean {
    return this.#dirty !== undefined || this.#owesAnswer;
  }

  /** Whether something may have to be added or updated; what is only to be removed waits for a later moment. */
  get mayHaveAdditions(): boolean {
    return (this.#dirty !== undefined && !this.#onlyRemovals) || this.#owesAnswer;
  }

  get dirtyFirst(): number {
    return this.#dirtyFirst;
  }

  get dirtyLast(): number {
    return this.#dirtyLast;
  }

  get awaitsAnswer(): boolean {
    return this.#outstanding.length > 0;
  }

  /** Unix milliseconds: when the newest unanswered response was sent. */
  get awaitsAnswerSince(): number | undefined {
    return this.#outstanding.at(-1)?.since;
  }

  /** The earliest update that a response tells of which was sent after that time and is unanswered; Infinity when there is none. */
  outstandingFirst(sentAfter = 0): number {
    return this.#outstanding.reduce((first, one) => (one.since > sentAfter ? Math.min(first, one.first) : first), Infinity);
  }

  /** Something waits to be sent, at once or when its turn comes. */
  get hasNews(): boolean {
    return this.dirty || this.#asked !== undefined || this.#suspects.length > 0;
  }

  get quiet(): boolean {
    return !this.awaitsAnswer && !this.hasNews;
  }

  /** The earliest update of which the sidecar's answer is still missing; Infinity when there is none. */
  get unacknowledged(): number {
    return Math.min(this.outstandingFirst(), this.#dirtyFirst, this.#askedFirst, this.#suspectsFirst);
  }

  wants(name: string): boolean {
    return this.#wildcard || this.#names.has(name);
  }

  /** The stream's first request of this type. What the sidecar has already in the right version is not sent. */
  open(request: DeltaRequest, view: View, sequence: number): void {
    const { typeUrl } = this.type;
    const has = request.initialVersions;
    const differing = new Set<string>();
    this.#wildcard = request.subscribe.includes(EVERYTHING) || (this.type.wildcard && request.subscribe.length === 0);
    if (this.#wildcard) {
      for (const name of view.names(typeUrl)) if (has.get(name) !== view.lookup(typeUrl, name)?.content?.version) differing.add(name);
      for (const name of has.keys()) if (!view.lookup(typeUrl, name)) differing.add(name);
      this.#owesAnswer = true;
    }
    for (const name of request.subscribe) {
      if (name === EVERYTHING) continue;
      this.#names.add(name);
      if (!has.has(name)) this.#ask(name, sequence);
      else if (has.get(name) !== view.lookup(typeUrl, name)?.content?.version) differing.add(name);
    }
    if (differing.size > 0 || this.#owesAnswer) this.mark(differing, sequence);
  }

  /** Every later request of this type. A name that is subscribed to again is answered again. */
  amend(request: DeltaRequest, view: View, sequence: number): void {
    for (const name of request.subscribe) {
      if (name === EVERYTHING) {
        this.#wildcard = true;
        this.#owesAnswer = true;
        this.mark(view.names(this.type.typeUrl), sequence);
      } else {
        this.#names.add(name);
        this.#ask(name, sequence);
      }
    }
    for (const name of request.unsubscribe) {
      if (name === EVERYTHING) this.#wildcard = false;
      else if (this.#names.delete(name)) {
        this.#rejected.delete(name);
        // Under a wildcard the sidecar cannot know whether the name is still meant for it: it is told.
        if (this.#wildcard) this.#ask(name, sequence);
      }
    }
  }

  /** The resources of these names changed in the given update. False when none of them is wanted here. */
  mark(names: ReadonlySet<string>, sequence: number): boolean {
    if (!this.#wildcard && !this.#wantsAny(names)) return false;
    if (this.#dirty === undefined) {
      this.#dirty = names;
      this.#dirtyFirst = sequence;
    } else {
      this.#dirty = new Set([...this.#dirty, ...names]);
    }
    this.#dirtyLast = sequence;
    this.#onlyRemovals = false;
    return true;
  }

  /** What was asked for, if anything. It counts as sent from now on. */
  takeAsked(view: View): Delta | undefined {
    const asked = this.#asked;
    if (!asked) return undefined;
    const first = this.#askedFirst;
    this.#asked = undefined;
    this.#askedFirst = Infinity;
    if (this.#dirty) this.#setDirty(without(this.#dirty, asked));
    return nonEmpty({ ...this.#split(asked, view, "again"), first });
  }

  /**
   * What is to be added or updated, and with `removals` also what is to be removed. It counts as sent from now on.
   * Undefined when there is nothing to add and no answer is owed.
   */
  takeAdditions(view: View, removals: boolean): Delta | undefined {
    const first = this.#dirtyFirst;
    const send = this.#owesAnswer;
    const { added, removed } = this.#split(this.#dirty, view);
    this.#owesAnswer = false;
    if (!send && added.length === 0) {
      this.#setDirty(new Set(removed));
      this.#onlyRemovals = true;
      return undefined;
    }
    this.#setDirty(new Set(removals ? [] : removed));
    this.#onlyRemovals = true;
    return { added, removed: removals ? removed : [], first };
  }

  /** What is to be removed, once there are no additions. It counts as sent from now on. */
  takeRemovals(view: View): Delta | undefined {
    const first = this.#dirtyFirst;
    const { removed } = this.#split(this.#dirty, view);
    this.#setDirty(new Set());
    return nonEmpty({ added: [], removed, first });
  }

  /** The next part of a refused response, in its newest state. */
  takeSuspects(view: View): Delta | undefined {
    const first = this.#suspectsFirst;
    for (let names = this.#suspects.pop(); names; names = this.#suspects.pop()) {
      const { added } = this.#split(names, view, "again");
      if (added.length > 0) return { added, removed: [], first };
    }
    this.#settleSuspects();
    return undefined;
  }

  /** Asks anew, on the sidecar's behalf, for those of the names that it subscribed to. */
  renew(names: Iterable<string>, sequence: number): void {
    for (const name of names) if (this.#names.has(name)) this.#ask(name, sequence);
  }

  sent(response: Outstanding): void {
    this.#outstanding.push(response);
    this.heldSince = undefined;
    this.pushes++;
  }

  /** Takes the unanswered response of this nonce; undefined when there is none, so that the answer is stale. */
  answered(nonce: string): Outstanding | undefined {
    const index = this.#outstanding.findIndex((one) => one.nonce === nonce);
    return index < 0 ? undefined : this.#outstanding.splice(index, 1)[0];
  }

  /** The sidecar accepted a response. */
  acknowledge(response: Outstanding): void {
    if (this.#rejected.size > 0) {
      for (const { name } of response.resources) this.#rejected.delete(name);
      for (const name of response.removed) this.#rejected.delete(name);
    }
    this.#settleSuspects();
  }

  /** The sidecar refused a response and keeps what it had. */
  reject(response: Outstanding, message: string, at: number): Nack {
    const { resources, removed, privateName, first } = response;
    const added = resources.map(({ name }) => name);
    const narrowing = added.length > 1;
    if (narrowing) {
      const half = Math.ceil(added.length / 2);
      this.#suspects.push(added.slice(half), added.slice(0, half));
      this.#suspectsFirst = Math.min(this.#suspectsFirst, first);
    } else {
      for (const { name, version } of resources) this.#rejected.set(name, version);
    }
    // What it was to remove may have been dropped with the rest, and is innocent. On its own it is not tried again.
    if (added.length > 0 && removed.length > 0) {
      this.#dirtyFirst = Math.min(this.#dirtyFirst, first);
      this.#dirtyLast = Math.max(this.#dirtyLast, first);
      this.#dirty = new Set([...(this.#dirty ?? []), ...removed]);
      this.#onlyRemovals = false;
    }
    this.#settleSuspects();
    this.nacks++;
    const names = privateName === undefined ? [...added, ...removed] : [privateName];
    this.lastNack = { typeUrl: this.type.typeUrl, names, message, at, narrowing };
    return this.lastNack;
  }

  #ask(name: string, sequence: number): void {
    (this.#asked ??= new Set()).add(name);
    this.#askedFirst = Math.min(this.#askedFirst, sequence);
  }

  #wantsAny(names: ReadonlySet<string>): boolean {
    for (const name of names) if (this.#names.has(name)) return true;
    return false;
  }

  #setDirty(names: ReadonlySet<string>): void {
    if (names.size > 0) {
      this.#dirty = names;
      return;
    }
    this.#dirty = undefined;
    this.#dirtyFirst = Infinity;
    this.heldSince = undefined;
  }

  #settleSuspects(): void {
    if (this.#suspects.length === 0 && !this.awaitsAnswer) this.#suspectsFirst = Infinity;
  }

  /** Sorts names by what has become of them. A version that was refused is left out, unless it is to go out `again`. */
  #split(names: Iterable<string> | undefined, view: View, again?: "again"): Pick<Delta, "added" | "removed"> {
    const added: TableResource[] = [];
    const removed: string[] = [];
    for (const name of names ?? []) {
      if (!this.wants(name)) continue;
      const resource = view.lookup(this.type.typeUrl, name);
      if (!resource?.content) removed.push(name);
      else if (again || this.#rejected.get(name) !== resource.content.version) added.push(resource);
    }
    return { added, removed };
  }
}

function nonEmpty(delta: Delta): Delta | undefined {
  return delta.added.length > 0 || delta.removed.length > 0 ? delta : undefined;
}

function without(names: ReadonlySet<string>, taken: ReadonlySet<string>): ReadonlySet<string> {
  for (const name of taken) if (names.has(name)) return new Set([...names].filter((other) => !taken.has(other)));
  return names;
}
