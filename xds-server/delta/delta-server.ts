/**
 * The delta xDS server (ADS only), from encoded resources to sidecars.
 *
 *     apply(update) -> ResourceTable: what changed for which layers and views
 *                   -> AdsStream.mark: the names that a stream does not have in their newest state
 *                   -> AdsStream.flush: what may go now; ResponseCache builds each distinct response once
 *     ACK, NACK, a written buffer, a new subscription -> AdsStream.flush again
 *
 * MeshStreams ties these together. Transport owns the sockets and TLS, AdsCall the gRPC call and its life, AdsStream
 * and Subscription the protocol.
 */
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { AdsCall } from "./ads-call.ts";
import { adsService, type IncomingRequest } from "./ads-service.ts";
import { type Clock, systemClock } from "./clock.ts";
import { messageOf } from "./error-message.ts";
import {
  type AuthenticatedSubscriber,
  AuthenticationUnavailable,
  type PrivateResources,
  type StreamAuthenticator,
  type XdsUpdate,
} from "./feed.ts";
import { type ApplyReport, MeshStreams } from "./mesh-streams.ts";
import { LogLimiter } from "./log-limiter.ts";
import type { DeltaObserver, RefusalReason } from "./observer.ts";
import type { StreamStatus, SubscriberProgress } from "./stream-status.ts";
import { type ListeningAddress, type ListenOptions, type ServerCertificate, Transport } from "./transport.ts";

export type { ApplyReport } from "./mesh-streams.ts";
export type { ListeningAddress, ListenOptions, ServerCertificate } from "./transport.ts";

/** Another gRPC service on the same port. Its calls are not authenticated here. */
export interface GrpcService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

export interface DeltaServerOptions {
  readonly authenticator: StreamAuthenticator;
  readonly privateResources?: readonly PrivateResources[];
  readonly services?: readonly GrpcService[];
  readonly observer?: DeltaObserver;
  /** Takes one line at a time, without a line end. */
  readonly log?: (line: string) => void;
  readonly clock?: Clock;
  /** In [0, 1), for jitter. */
  readonly random?: () => number;
  /** For how long, in milliseconds, a change waits for what it may depend on to be acknowledged. Default 10,000. */
  readonly orderPatienceMs?: number;
  /** How long, in milliseconds, a client has for the TLS handshake, and again for its first call. Default 10,000. */
  readonly handshakeTimeoutMs?: number;
}

/** Enough for 20,000 names with versions; Envoy sends no other large request. */
const LARGEST_REQUEST = 4 << 20;
/** How long streams have to end when the server stops or a token runs out. */
const GRACE_MS = 3_000;

export class DeltaServer {
  readonly #options: DeltaServerOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: LogLimiter;
  readonly #streams: MeshStreams;
  readonly #grpc: Server;
  readonly #transport: Transport;
  /** Authenticated calls by subscriber. A sidecar that reconnects may have two for a while. */
  readonly #calls = new Map<string, Set<AdsCall>>();
  #stopping = false;

  constructor(options: DeltaServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#log = new LogLimiter(options.log ?? ((): undefined => undefined), this.#clock);
    this.#streams = new MeshStreams({
      clock: this.#clock,
      privateResources: options.privateResources ?? [],
      orderPatienceMs: options.orderPatienceMs ?? 10_000,
    });
    this.#grpc = new Server({
      "grpc.enable_channelz": 0,
      "grpc.max_receive_message_length": LARGEST_REQUEST,
      "grpc.max_send_message_length": -1,
      "grpc.max_concurrent_streams": 32,
      "grpc.keepalive_time_ms": 30_000,
      "grpc.keepalive_timeout_ms": 20_000,
      "grpc.max_connection_idle_ms": 300_000,
    });
    this.#grpc.addService(adsService, {
      deltaAggregatedResources: (call: ServerDuplexStream<IncomingRequest, Buffer>): void => this.#accept(call),
    });
    for (const { definition, implementation } of options.services ?? []) this.#grpc.addService(definition, this.#heard(implementation));
    const injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#transport = new Transport({
      clock: this.#clock,
      log: this.#log,
      handshakeTimeoutMs: options.handshakeTimeoutMs ?? 10_000,
      inject: (socket) => injector.injectConnection(socket),
      refused: (reason, peer) => options.observer?.onRefused?.(reason, peer),
    });
  }

  /** The number of the newest update; 0 before the first, when nothing is sent to anybody. */
  get sequence(): number {
    return this.#streams.sequence;
  }

  /** Rejects with a DeltaServerError that names the address and the remedy. */
  listen(options: ListenOptions): Promise<ListeningAddress> {
    return this.#transport.listen(options);
  }

  /** For connections from now on. Throws a DeltaServerError, and keeps the old one, when it cannot be used. */
  replaceCertificate(certificate: ServerCertificate): void {
    this.#transport.replaceCertificate(certificate);
  }

  /** Takes over one tick's changes, all at once, and sends what may be sent. The cost is that of what changed and whom it reaches. */
  apply(update: XdsUpdate): ApplyReport {
    const { report, touched, appeared, disappeared } = this.#streams.apply(update);
    for (const { subscriber } of disappeared) for (const call of this.#callsOf(subscriber)) call.end("subscriber-removed");
    for (const view of appeared) for (const call of this.#callsOf(view.subscriber)) call.open(view);
    this.#options.observer?.onApplied?.(report.sequence, touched);
    return report;
  }

  /** A snapshot; the cost is proportional to all that is subscribed to. */
  streams(): StreamStatus[] {
    return [...this.#calls.values()].flatMap((calls) => [...calls].map((call) => call.status()));
  }

  /** Of the newest of a subscriber's streams; undefined while there is none. */
  progress(subscriber: string): SubscriberProgress | undefined {
    return this.#callsOf(subscriber).at(-1)?.progress();
  }

  /** How much the table holds, for metrics. */
  get size(): { readonly resources: number; readonly layers: number; readonly views: number } {
    return this.#streams.size;
  }

  /** Ends every stream with UNAVAILABLE and closes the port and all connections. Takes a few seconds at most. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#transport.stopAccepting();
    for (const calls of [...this.#calls.values()]) for (const call of [...calls]) call.end("stopping");
    // Says goodbye on every connection and returns at once; the sockets tell when it is over.
    this.#grpc.tryShutdown(() => undefined);
    await this.#transport.closed(GRACE_MS);
    this.#grpc.forceShutdown();
  }

  #callsOf(subscriber: string): AdsCall[] {
    return [...(this.#calls.get(subscriber) ?? [])];
  }

  #accept(call: ServerDuplexStream<IncomingRequest, Buffer>): void {
    this.#transport.spoke(call.getPeer());
    this.#authenticate(call).catch((error: unknown) => this.#refuse(call, error));
  }

  async #authenticate(call: ServerDuplexStream<IncomingRequest, Buffer>): Promise<void> {
    const header = call.metadata.get("authorization")[0];
    const token = typeof header === "string" ? /^Bearer +(\S+) *$/i.exec(header)?.[1] : undefined;
    const identity = await this.#options.authenticator.authenticate(token);
    const lifetime = identity.expiresAt - this.#clock.now();
    if (lifetime <= 0) throw new Error("the token has expired");
    if (call.cancelled) return;
    if (this.#stopping) {
      call.emit("error", { code: status.UNAVAILABLE, details: "the control plane is stopping" });
      return;
    }
    this.#admit(call, identity, lifetime);
  }

  #refuse(call: ServerDuplexStream<IncomingRequest, Buffer>, error: unknown): void {
    const message = messageOf(error);
    const passing = error instanceof AuthenticationUnavailable;
    this.#refused(passing ? "authentication-unavailable" : "unauthenticated", call.getPeer(), message);
    const code = passing ? status.UNAVAILABLE : status.UNAUTHENTICATED;
    if (!call.cancelled) call.emit("error", { code, details: message });
  }

  #refused(reason: RefusalReason, peer: string, message: string): void {
    this.#options.observer?.onRefused?.(reason, peer);
    this.#log.line(reason, `xDS: refused a stream from ${peer} (${reason}): ${message}`);
  }

  #admit(call: ServerDuplexStream<IncomingRequest, Buffer>, identity: AuthenticatedSubscriber, lifetime: number): void {
    const { observer } = this.#options;
    const { subscriber } = identity;
    const peer = call.getPeer();
    // In the last 15 % to 5 % of what is left of the token's life: by then a fresh one is in the sidecar's file.
    const closeAt = this.#clock.now() + lifetime * (0.85 + 0.1 * this.#random());
    let loseInterest = (): void => undefined;
    const admitted = new AdsCall(call, identity, closeAt, this.#streams, this.#clock, {
      pushed: (push) => observer?.onPush?.(subscriber, push),
      acknowledged: (sequence) => observer?.onAcknowledged?.(subscriber, sequence),
      rejected: (nack) => observer?.onNack?.(subscriber, nack),
      malformed: (message) => this.#refused("malformed-request", peer, message),
      ended: (reason) => {
        loseInterest();
        const calls = this.#calls.get(subscriber);
        calls?.delete(admitted);
        if (calls?.size === 0) this.#calls.delete(subscriber);
        // A client that reads nothing never sees the end of its stream: the connection goes with it.
        if (reason !== "client") this.#clock.after(GRACE_MS, () => call.writableFinished || call.cancelled || this.#transport.cut(peer));
        observer?.onDisconnected?.(subscriber, peer, reason);
      },
    });
    const calls = this.#calls.get(subscriber);
    if (calls) calls.add(admitted);
    else this.#calls.set(subscriber, new Set([admitted]));
    observer?.onConnected?.(subscriber, peer);
    loseInterest = identity.onRevoked?.(() => admitted.end("subscriber-removed")) ?? loseInterest;
    const view = this.#streams.view(subscriber);
    if (view) admitted.open(view);
  }

  /** The same methods, on which a connection counts as one that speaks to us. */
  #heard(implementation: UntypedServiceImplementation): UntypedServiceImplementation {
    const heard: UntypedServiceImplementation = {};
    for (const [name, method] of Object.entries(implementation)) {
      heard[name] = (...parameters: Parameters<typeof method>): void => {
        this.#transport.spoke(parameters[0].getPeer());
        (method as (...all: Parameters<typeof method>) => void).apply(implementation, parameters);
      };
    }
    return heard;
  }
}
