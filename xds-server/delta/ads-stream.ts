/**
 * The delta xDS protocol on one stream: what is sent next, and what an answer means. It knows neither gRPC nor TLS.
 *
 * At most one response per type is unanswered, and at most one write is on its way. Meanwhile changes only mark names;
 * what goes out is their newest state. So a slow sidecar costs nobody anything and never receives a backlog.
 */
import type { Clock } from "./clock.ts";
import type { EncodedResource, PrivateResources, PrivateSubscription } from "./feed.ts";
import type { ClaimedNode, DeltaRequest } from "./request.ts";
import type { ChangedNames, View } from "./resource-table.ts";
import { resourceType, TYPE_URL } from "./resource-types.ts";
import type { EncodedResponse, ResponseCache } from "./response-cache.ts";
import type { TypeStatus } from "./stream-status.ts";
import { type Delta, type Nack, Subscription } from "./subscription.ts";

/** What a stream shares with all others. */
export interface StreamSurroundings {
  readonly cache: ResponseCache;
  readonly clock: Clock;
  readonly privateResources: readonly PrivateResources[];
  /** Milliseconds after which changes no longer wait for other types to be acknowledged. */
  readonly orderPatienceMs: number;
  /** The number of the newest update. */
  sequence(): number;
}

export interface StreamEvents {
  /** Writes a response; `written` is called once the transport has taken it. */
  write(typeUrl: string, response: Buffer, written: () => void): void;
  acknowledged(sequence: number): void;
  rejected(nack: Nack): void;
  /** The client broke the protocol: the stream must end. */
  violated(message: string): void;
}

/** More than any sidecar needs; a client that goes beyond is broken or hostile. */
const MOST_TYPES = 16;
const MOST_NAMES = 50_000;

/** A private resource that the sidecar subscribed to. */
interface OpenPrivate {
  readonly typeUrl: string;
  subscription?: PrivateSubscription;
  /** What could not be written yet, newest only; gone once written. */
  pending?: EncodedResource;
}

export class AdsStream {
  readonly view: View;
  readonly #surroundings: StreamSurroundings;
  readonly #events: StreamEvents;
  /** In the order of sending. */
  readonly #subscriptions: Subscription[] = [];
  /** Open private resources by type URL and name. */
  readonly #private = new Map<string, OpenPrivate>();
  #node: ClaimedNode | undefined;
  #writing = false;
  #closed = false;
  #bytesSent = 0;
  #reported = 0;
  #complete = false;
  #stopWaiting: (() => void) | undefined;

  constructor(view: View, surroundings: StreamSurroundings, events: StreamEvents) {
    this.view = view;
    this.#surroundings = surroundings;
    this.#events = events;
  }

  get node(): ClaimedNode | undefined {
    return this.#node;
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  get synced(): boolean {
    return this.#asksFor(TYPE_URL.listener) && this.#subscriptions.every((one) => one.quiet && one.rejected.size === 0);
  }

  get ackedThrough(): number {
    if (!this.#complete) return 0;
    let first = Infinity;
    for (const subscription of this.#subscriptions) first = Math.min(first, subscription.unacknowledged);
    return first === Infinity ? this.#surroundings.sequence() : first - 1;
  }

  /** Names of the view changed. Returns whether this stream wants any of them; they go out with the next {@link flush}. */
  mark(changed: ChangedNames, sequence: number): boolean {
    let wanted = false;
    for (const subscription of this.#subscriptions) {
      const names = changed.get(subscription.type.typeUrl);
      if (names && subscription.mark(names, sequence)) wanted = true;
    }
    return wanted;
  }

  /** Sends what may be sent now. Returns the bytes that it handed to the transport. */
  flush(): number {
    const before = this.#bytesSent;
    if (!this.#closed && !this.#writing) this.#sendNext();
    return this.#bytesSent - before;
  }

  receive(request: DeltaRequest): void {
    this.#node ??= request.node;
    let subscription = this.#subscriptions.find((one) => one.type.typeUrl === request.typeUrl);
    const isFirst = subscription === undefined;
    if (!subscription) {
      if (request.typeUrl === "") {
        this.#events.violated("a request names no type");
        return;
      }
      if (this.#subscriptions.length >= MOST_TYPES) {
        this.#events.violated(`more than ${MOST_TYPES} types on one stream`);
        return;
      }
      subscription = new Subscription(resourceType(request.typeUrl));
      this.#subscriptions.push(subscription);
      this.#subscriptions.sort((a, b) => a.type.rank - b.type.rank);
    }
    // An answer to a response that is not the outstanding one is stale; what else the request says still counts.
    if (request.nonce !== "" && subscription.outstanding?.nonce === request.nonce) this.#answered(subscription, request);
    const sequence = this.#surroundings.sequence();
    const shared = this.#withoutPrivate(request, isFirst);
    if (isFirst) subscription.open(shared, this.view, sequence);
    else if (shared.subscribe.length > 0 || shared.unsubscribe.length > 0) subscription.amend(shared, this.view, sequence);
    if (subscription.names.size > MOST_NAMES) {
      this.#events.violated(`more than ${MOST_NAMES} names of ${request.typeUrl}`);
      return;
    }
    this.flush();
    this.#report();
  }

  close(): void {
    this.#closed = true;
    this.#stopWaiting?.();
    for (const key of this.#private.keys()) this.#closePrivate(key);
  }

  types(): TypeStatus[] {
    return this.#subscriptions.map((one) => {
      const { typeUrl } = one.type;
      const ofItsOwn = [...this.#private.values()].filter((open) => open.typeUrl === typeUrl).length;
      const named = [...one.names].filter((name) => this.view.lookup(typeUrl, name)).length;
      return {
        typeUrl,
        subscribed: one.wildcard ? "wildcard" : one.names.size + ofItsOwn,
        resources: one.wildcard ? this.view.names(typeUrl).size : named + ofItsOwn,
        pushes: one.pushes,
        outstandingSince: one.outstanding?.since,
        nacks: one.nacks,
        lastNack: one.lastNack,
        rejected: [...one.rejected.keys()],
      };
    });
  }

  #asksFor(typeUrl: string): boolean {
    return this.#subscriptions.some((one) => one.type.typeUrl === typeUrl);
  }

  #answered(subscription: Subscription, request: DeltaRequest): void {
    if (request.error === undefined) subscription.acknowledge();
    else this.#events.rejected(subscription.reject(request.error, this.#surroundings.clock.now()));
  }

  #report(): void {
    this.#complete ||= this.#asksFor(TYPE_URL.listener) && this.#subscriptions.every((one) => one.quiet);
    const through = this.ackedThrough;
    if (through <= this.#reported) return;
    this.#reported = through;
    this.#events.acknowledged(through);
  }

  #sendNext(): void {
    const view = this.view;
    for (const subscription of this.#subscriptions) {
      if (subscription.outstanding) continue;
      const asked = subscription.takeAsked(view);
      if (asked) {
        this.#send(subscription, asked);
        return;
      }
      if (this.#sendPrivate(subscription)) return;
    }
    let pendingFirst = Infinity;
    for (const subscription of this.#subscriptions) {
      if (subscription.outstanding) {
        pendingFirst = Math.min(pendingFirst, subscription.outstanding.first);
        if (subscription.mayHaveAdditions) pendingFirst = Math.min(pendingFirst, subscription.dirtyFirst);
      } else if (subscription.mayHaveAdditions) {
        if (subscription.type.waits && pendingFirst <= subscription.dirtyLast && this.#mustWait(subscription)) {
          pendingFirst = Math.min(pendingFirst, subscription.dirtyFirst);
          continue;
        }
        const additions = subscription.takeAdditions(view, this.#alone(subscription));
        if (additions) {
          this.#send(subscription, additions);
          return;
        }
      }
    }
    for (const subscription of this.#subscriptions) {
      const suspects = subscription.outstanding ? undefined : subscription.takeSuspects(view);
      if (suspects) {
        this.#send(subscription, suspects);
        return;
      }
    }
    this.#sendRemovals();
  }

  #sendRemovals(): void {
    const removing = this.#subscriptions.filter((one) => one.dirty && !one.mayHaveAdditions && !one.outstanding);
    removing.sort((a, b) => a.type.removalRank - b.type.removalRank);
    for (const subscription of removing) {
      const mustWait = this.#subscriptions.some(
        (other) =>
          other !== subscription &&
          ((other.outstanding && other.outstanding.first <= subscription.dirtyLast) ||
            (other.mayHaveAdditions && other.dirtyFirst <= subscription.dirtyLast)),
      );
      if (mustWait && this.#mustWait(subscription)) continue;
      const removals = subscription.takeRemovals(this.view);
      if (removals) {
        this.#send(subscription, removals);
        return;
      }
    }
  }

  /** Nothing else is going on, so removals need not wait for anything. */
  #alone(subscription: Subscription): boolean {
    return this.#subscriptions.every((other) => other === subscription || (!other.dirty && !other.outstanding));
  }

  /** Whether a change that other types hold back still has to be patient. */
  #mustWait(subscription: Subscription): boolean {
    const { clock, orderPatienceMs } = this.#surroundings;
    subscription.heldSince ??= clock.now();
    const left = subscription.heldSince + orderPatienceMs - clock.now();
    if (left <= 0) return false;
    this.#stopWaiting ??= clock.after(left, () => {
      this.#stopWaiting = undefined;
      this.flush();
    });
    return true;
  }

  /** Opens and closes private resources as the request says, and returns what is left of it for the view. */
  #withoutPrivate(request: DeltaRequest, isFirst: boolean): DeltaRequest {
    const sources = this.#surroundings.privateResources.filter((source) => source.typeUrl === request.typeUrl);
    if (sources.length === 0) return request;
    const isPrivate = (name: string): boolean => sources.some((source) => source.handles(name));
    for (const name of request.unsubscribe) this.#closePrivate(privateKey(request.typeUrl, name));
    for (const name of request.subscribe) {
      const source = sources.find((one) => one.handles(name));
      if (source) this.#openPrivate(source, name, isFirst ? request.initialVersions.get(name) : undefined);
    }
    const isShared = (name: string): boolean => !isPrivate(name);
    return { ...request, subscribe: request.subscribe.filter(isShared), unsubscribe: request.unsubscribe.filter(isShared) };
  }

  #openPrivate(source: PrivateResources, name: string, knownVersion: string | undefined): void {
    const key = privateKey(source.typeUrl, name);
    this.#closePrivate(key);
    const open: OpenPrivate = { typeUrl: source.typeUrl };
    this.#private.set(key, open);
    open.subscription = source.open(this.view.subscriber, name, knownVersion, (resource) => {
      if (this.#private.get(key) !== open) return;
      open.pending = resource;
      this.flush();
    });
    if (this.#private.get(key) !== open) open.subscription.close();
  }

  #closePrivate(key: string): void {
    this.#private.get(key)?.subscription?.close();
    this.#private.delete(key);
  }

  #sendPrivate(subscription: Subscription): boolean {
    if (this.#private.size === 0) return false;
    for (const open of this.#private.values()) {
      const resource = open.pending;
      if (!resource || open.typeUrl !== subscription.type.typeUrl) continue;
      delete open.pending;
      this.#write(subscription, this.#surroundings.cache.unshared(resource), Infinity, resource.name);
      return true;
    }
    return false;
  }

  #send(subscription: Subscription, delta: Delta): void {
    const response = this.#surroundings.cache.response(subscription.type.typeUrl, delta.added, delta.removed);
    this.#write(subscription, response, delta.first);
  }

  #write(subscription: Subscription, response: EncodedResponse, first: number, privateName?: string): void {
    const { nonce, resources, removed, bytes } = response;
    const since = this.#surroundings.clock.now();
    subscription.sent({ nonce, first, since, resources, removed, ...(privateName === undefined ? {} : { privateName }) });
    this.#bytesSent += bytes.length;
    this.#writing = true;
    this.#events.write(subscription.type.typeUrl, bytes, () => {
      this.#writing = false;
      this.flush();
    });
  }
}

function privateKey(typeUrl: string, name: string): string {
  return `${typeUrl} ${name}`;
}
