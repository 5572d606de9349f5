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
  write(typeUrl: string, response: EncodedResponse, written: () => void): void;
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
  /** The sidecar reconnected with clusters; endpoints of those that are updated are owed once it subscribes to endpoints. */
  #knewClusters = false;
  readonly #owedEndpoints = new Set<string>();
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
    if (!this.#closed && !this.#writing && this.#hasNews()) {
      this.#sendNext();
      // What turned out to be no news, because it is not wanted any more or was refused already, is settled by that.
      this.#report();
    }
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
    if (request.nonce !== "") this.#answered(subscription, request);
    const sequence = this.#surroundings.sequence();
    const shared = this.#withoutPrivate(request);
    if (isFirst) this.#open(subscription, shared, sequence);
    else if (shared.subscribe.length > 0 || shared.unsubscribe.length > 0) subscription.amend(shared, this.view, sequence);
    this.#amendPrivate(request, isFirst);
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

  /** What the sidecar refuses to run, in its own words; undefined when nothing. */
  get rejection(): string | undefined {
    const refusing = this.#subscriptions.find((one) => one.rejected.size > 0);
    return refusing && `${[...refusing.rejected.keys()].join(", ")}: ${refusing.lastNack?.message ?? "refused"}`;
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
        outstandingSince: one.awaitsAnswerSince,
        nacks: one.nacks,
        lastNack: one.lastNack,
        rejected: [...one.rejected.keys()],
      };
    });
  }

  #asksFor(typeUrl: string): boolean {
    return this.#subscriptions.some((one) => one.type.typeUrl === typeUrl);
  }

  #open(subscription: Subscription, request: DeltaRequest, sequence: number): void {
    subscription.open(request, this.view, sequence);
    switch (request.typeUrl) {
      case TYPE_URL.cluster:
        this.#knewClusters = request.initialVersions.size > 0;
        break;
      case TYPE_URL.endpoints:
        subscription.renew(this.#owedEndpoints, sequence);
        this.#owedEndpoints.clear();
    }
  }

  /**
   * Envoy warms a cluster that was updated, and waits for endpoints anew although it is subscribed to them already and
   * so does not ask: without them the cluster never becomes active and the response is never acknowledged.
   */
  #renewEndpoints(clusters: readonly EncodedResource[]): void {
    const endpoints = this.#subscriptions.find(({ type }) => type.typeUrl === TYPE_URL.endpoints);
    for (const { name } of clusters) {
      if (endpoints) endpoints.renew([name], this.#surroundings.sequence());
      else if (this.#knewClusters) this.#owedEndpoints.add(name);
    }
  }

  /** An answer to a response that is not outstanding is stale; what else its request says still counts. */
  #answered(subscription: Subscription, request: DeltaRequest): void {
    const response = subscription.answered(request.nonce);
    if (!response) return;
    if (request.error === undefined) subscription.acknowledge(response);
    else this.#events.rejected(subscription.reject(response, request.error, this.#surroundings.clock.now()));
  }

  #report(): void {
    this.#complete ||= this.#asksFor(TYPE_URL.listener) && this.#subscriptions.every((one) => one.quiet);
    const through = this.ackedThrough;
    if (through <= this.#reported) return;
    this.#reported = through;
    this.#events.acknowledged(through);
  }

  #hasNews(): boolean {
    if (this.#subscriptions.some((one) => one.hasNews)) return true;
    for (const { pending } of this.#private.values()) if (pending) return true;
    return false;
  }

  /** Sends one response, if there is one that may go. The rest follows when the transport has taken it. */
  #sendNext(): void {
    const free = this.#subscriptions.filter((one) => this.#isFree(one));
    for (const subscription of free) {
      const asked = subscription.takeAsked(this.view);
      if (asked) {
        this.#send(subscription, asked);
        return;
      }
      if (this.#sendPrivate(subscription)) return;
    }
    if (this.#sendAdditions(free)) return;
    for (const subscription of free) {
      const suspects = subscription.takeSuspects(this.view);
      if (suspects) {
        this.#send(subscription, suspects);
        return;
      }
    }
    this.#sendRemovals(free);
  }

  #sendAdditions(free: readonly Subscription[]): boolean {
    // The earliest update of which types that come earlier have not acknowledged everything.
    let pendingFirst = Infinity;
    for (const subscription of this.#subscriptions) {
      const { type, mayHaveAdditions } = subscription;
      const mayGo = !type.waits || pendingFirst > subscription.dirtyLast;
      if (mayHaveAdditions && free.includes(subscription) && (mayGo || !this.#isPatient(subscription))) {
        const additions = subscription.takeAdditions(this.view, this.#isAlone(subscription));
        if (additions) {
          this.#send(subscription, additions);
          return true;
        }
      }
      pendingFirst = Math.min(pendingFirst, this.#awaited(subscription));
      if (subscription.mayHaveAdditions) pendingFirst = Math.min(pendingFirst, subscription.dirtyFirst);
    }
    return false;
  }

  #sendRemovals(free: readonly Subscription[]): void {
    const removing = free.filter((one) => one.dirty && !one.mayHaveAdditions);
    removing.sort((a, b) => a.type.removalRank - b.type.removalRank);
    for (const subscription of removing) {
      const mustWait = this.#subscriptions.some(
        (other) =>
          other !== subscription &&
          (this.#awaited(other) <= subscription.dirtyLast || (other.mayHaveAdditions && other.dirtyFirst <= subscription.dirtyLast)),
      );
      if (mustWait && this.#isPatient(subscription)) continue;
      const removals = subscription.takeRemovals(this.view);
      if (removals) {
        this.#send(subscription, removals);
        return;
      }
    }
  }

  /** Whether a response of this type may go: the one before is answered, or its answer is long overdue. */
  #isFree(subscription: Subscription): boolean {
    const since = subscription.awaitsAnswerSince;
    if (since === undefined) return true;
    // Envoy acknowledges clusters only when they are warm. One that never is must not keep the next ones away for ever.
    return subscription.hasNews && this.#isOver(since);
  }

  /** The earliest update that others wait for this type to acknowledge. What is long overdue is waited for no more. */
  #awaited(subscription: Subscription): number {
    const { clock, orderPatienceMs } = this.#surroundings;
    return subscription.outstandingFirst(clock.now() - orderPatienceMs);
  }

  /** Nothing else is going on, so removals need not wait for anything. */
  #isAlone(subscription: Subscription): boolean {
    return this.#subscriptions.every((other) => other === subscription || other.quiet);
  }

  /** Whether a change that other types hold back goes on waiting. */
  #isPatient(subscription: Subscription): boolean {
    subscription.heldSince ??= this.#surroundings.clock.now();
    return !this.#isOver(subscription.heldSince);
  }

  /** Whether patience has run out for what waits since then. If not, the stream wakes when it does. */
  #isOver(since: number): boolean {
    const { clock, orderPatienceMs } = this.#surroundings;
    const left = since + orderPatienceMs - clock.now();
    if (left <= 0) return true;
    this.#stopWaiting ??= clock.after(left, () => {
      this.#stopWaiting = undefined;
      this.flush();
    });
    return false;
  }

  #privateSource(typeUrl: string, name: string): PrivateResources | undefined {
    return this.#surroundings.privateResources.find((source) => source.typeUrl === typeUrl && source.handles(name));
  }

  /** What the request says of the view. */
  #withoutPrivate(request: DeltaRequest): DeltaRequest {
    if (!this.#surroundings.privateResources.some(({ typeUrl }) => typeUrl === request.typeUrl)) return request;
    const isShared = (name: string): boolean => this.#privateSource(request.typeUrl, name) === undefined;
    return { ...request, subscribe: request.subscribe.filter(isShared), unsubscribe: request.unsubscribe.filter(isShared) };
  }

  /** Opens and closes private resources as the request says. */
  #amendPrivate(request: DeltaRequest, isFirst: boolean): void {
    if (!this.#surroundings.privateResources.some(({ typeUrl }) => typeUrl === request.typeUrl)) return;
    for (const name of request.unsubscribe) this.#closePrivate(privateKey(request.typeUrl, name));
    // A name that one request repeats is asked for once: each certificate costs a key.
    for (const name of new Set(request.subscribe)) {
      const source = this.#privateSource(request.typeUrl, name);
      if (source) this.#openPrivate(source, name, isFirst ? request.initialVersions.get(name) : undefined);
    }
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
    if (subscription.type.typeUrl === TYPE_URL.cluster) this.#renewEndpoints(response.resources);
  }

  #write(subscription: Subscription, response: EncodedResponse, first: number, privateName?: string): void {
    const { nonce, resources, removed, bytes } = response;
    const since = this.#surroundings.clock.now();
    subscription.sent({ nonce, first, since, resources, removed, ...(privateName === undefined ? {} : { privateName }) });
    this.#bytesSent += bytes.length;
    this.#writing = true;
    this.#events.write(subscription.type.typeUrl, response, () => {
      this.#writing = false;
      this.flush();
    });
  }
}

function privateKey(typeUrl: string, name: string): string {
  return `${typeUrl} ${name}`;
}
