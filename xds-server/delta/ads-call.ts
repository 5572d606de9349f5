import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import type { IncomingRequest } from "./ads-service.ts";
import type { AdsStream } from "./ads-stream.ts";
import type { Clock } from "./clock.ts";
import type { AuthenticatedSubscriber } from "./feed.ts";
import type { MeshStreams } from "./mesh-streams.ts";
import type { DisconnectReason, Push } from "./observer.ts";
import type { View } from "./resource-table.ts";
import type { StreamStatus, SubscriberProgress } from "./stream-status.ts";
import type { Nack } from "./subscription.ts";

export interface CallEvents {
  pushed(push: Push): void;
  acknowledged(sequence: number): void;
  rejected(nack: Nack): void;
  malformed(message: string): void;
  ended(reason: DisconnectReason): void;
}

type CallState = { readonly kind: "held" } | { readonly kind: "open"; readonly stream: AdsStream } | { readonly kind: "ended" };

/**
 * One authenticated gRPC call. It is held until its subscriber's view exists: an empty configuration would wipe a
 * sidecar that runs on the configuration of an earlier control plane. While it is held nothing is read, so what the
 * sidecar asks waits in its own buffers.
 */
export class AdsCall {
  readonly subscriber: string;
  readonly peer: string;
  readonly #uid: string | undefined;
  readonly #call: ServerDuplexStream<IncomingRequest, Buffer>;
  readonly #events: CallEvents;
  readonly #connectedAt: number;
  readonly #streams: MeshStreams;
  readonly #stopExpiry: () => void;
  #state: CallState = { kind: "held" };

  /** `closeAt`, in Unix milliseconds, is when the call ends so that a fresh token comes with the next. */
  constructor(
    call: ServerDuplexStream<IncomingRequest, Buffer>,
    { subscriber, uid }: Pick<AuthenticatedSubscriber, "subscriber" | "uid">,
    closeAt: number,
    streams: MeshStreams,
    clock: Clock,
    events: CallEvents,
  ) {
    this.#call = call;
    this.#events = events;
    this.#streams = streams;
    this.subscriber = subscriber;
    this.#uid = uid;
    this.peer = call.getPeer();
    this.#connectedAt = clock.now();
    this.#stopExpiry = clock.after(closeAt - this.#connectedAt, () => this.end("token-expiring"));
    call.once("cancelled", () => this.#ended("client"));
  }

  get held(): boolean {
    return this.#state.kind === "held";
  }

  get stream(): AdsStream | undefined {
    return this.#state.kind === "open" ? this.#state.stream : undefined;
  }

  /** The subscriber's view is there: reading, and so answering, begins. */
  open(view: View): void {
    if (this.#state.kind !== "held") return;
    const stream = this.#streams.open(view, {
      write: (typeUrl, response, written) => {
        const { bytes, count, removed } = response;
        this.#events.pushed({ typeUrl, bytes: bytes.length, resources: count, removed: removed.length });
        // A write that fails ends the call; there is nobody left to go on for.
        this.#call.write(bytes, (error?: Error | null) => {
          if (!error) written();
        });
      },
      acknowledged: (sequence) => this.#events.acknowledged(sequence),
      rejected: (nack) => this.#events.rejected(nack),
      violated: (message) => this.#malformed(message),
    });
    this.#state = { kind: "open", stream };
    this.#call.on("data", (request: IncomingRequest) => {
      if (this.#state.kind !== "open") return;
      if (request.kind === "request") stream.receive(request);
      else this.#malformed(request.message);
    });
    this.#call.once("end", () => this.end("client"));
  }

  /** The client is told with a gRPC status; `detail` adds to it. */
  end(reason: DisconnectReason, detail = ""): void {
    if (this.#state.kind === "ended") return;
    this.#ended(reason);
    const status = finalStatus(reason, this.subscriber, detail);
    if (status) this.#call.emit("error", status);
    else this.#call.end();
  }

  progress(): SubscriberProgress {
    return { uid: this.#uid, ackedThrough: this.stream?.ackedThrough ?? 0, rejection: this.stream?.rejection };
  }

  status(): StreamStatus {
    const stream = this.stream;
    return {
      subscriber: this.subscriber,
      connectedAt: this.#connectedAt,
      peer: this.peer,
      node: stream?.node,
      held: this.held,
      types: stream?.types() ?? [],
      synced: stream?.synced ?? false,
      ackedThrough: stream?.ackedThrough ?? 0,
      bytesSent: stream?.bytesSent ?? 0,
    };
  }

  #malformed(message: string): void {
    if (this.#state.kind === "ended") return;
    this.#events.malformed(message);
    this.end("protocol-error", message);
  }

  #ended(reason: DisconnectReason): void {
    if (this.#state.kind === "ended") return;
    if (this.stream) this.#streams.close(this.stream);
    this.#state = { kind: "ended" };
    this.#stopExpiry();
    this.#events.ended(reason);
  }
}

/** What the sidecar is told; undefined is OK, the one status that Envoy logs no warning for. It reconnects after each of them. */
function finalStatus(reason: DisconnectReason, subscriber: string, detail: string): { code: status; details: string } | undefined {
  switch (reason) {
    case "client":
    case "token-expiring":
      return undefined;
    case "subscriber-removed":
      return { code: status.NOT_FOUND, details: `${subscriber} is no longer in the mesh` };
    case "stopping":
      return { code: status.UNAVAILABLE, details: "the control plane is stopping" };
    case "protocol-error":
      return { code: status.INVALID_ARGUMENT, details: `not valid delta xDS: ${detail}` };
  }
}
