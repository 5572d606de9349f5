import type { Nack } from "./subscription.ts";

/** Why an authenticated stream ended. */
export type DisconnectReason = "client" | "token-expiring" | "subscriber-removed" | "protocol-error" | "stopping";

/** Why a connection or a stream was turned away. */
export type RefusalReason = "unauthenticated" | "authentication-unavailable" | "tls-handshake" | "not-xds" | "malformed-request";

/** One response that was handed to the transport. */
export interface Push {
  readonly typeUrl: string;
  /** Of the serialized response, without framing. */
  readonly bytes: number;
  /** How many resources it brings. */
  readonly resources: number;
  readonly removed: number;
}

/** Hears of what happens on the streams. Called synchronously: return quickly, never throw. */
export interface DeltaObserver {
  /** A stream's token was accepted. The stream may still be held until its subscriber appears in the feed. */
  onConnected?(subscriber: string, peer: string): void;
  onDisconnected?(subscriber: string, peer: string, reason: DisconnectReason): void;
  /** The stream's sidecar has answered everything that reached it up to this update. See StreamStatus.ackedThrough. */
  onAcknowledged?(subscriber: string, sequence: number): void;
  /** An update was taken over; something that these subscribers' streams asked for has changed. */
  onApplied?(sequence: number, touched: ReadonlySet<string>): void;
  onNack?(subscriber: string, nack: Nack): void;
  onPush?(subscriber: string, push: Push): void;
  onRefused?(reason: RefusalReason, peer: string): void;
}
