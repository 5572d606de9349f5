import type { ClaimedNode } from "./request.ts";
import type { Nack } from "./subscription.ts";

/** One type on one stream, at one moment. */
export interface TypeStatus {
  readonly typeUrl: string;
  /** Everything in view, or the number of names that are subscribed to. */
  readonly subscribed: "wildcard" | number;
  /** Of what is subscribed to, how much exists in the subscriber's view. */
  readonly resources: number;
  /** Responses sent. */
  readonly pushes: number;
  /** Unix milliseconds at which the response was sent that is not answered yet. */
  readonly outstandingSince: number | undefined;
  readonly nacks: number;
  readonly lastNack: Nack | undefined;
  /** Names of resources whose present content Envoy refuses: it runs on the last good one. */
  readonly rejected: readonly string[];
}

/** How far a subscriber's newest stream has come. */
export interface SubscriberProgress {
  /** Of the pod that the stream's token is for; undefined where the token does not say. */
  readonly uid: string | undefined;
  /** See {@link StreamStatus.ackedThrough}. */
  readonly ackedThrough: number;
  /** What the sidecar refuses to run, in its own words; undefined when nothing. */
  readonly rejection: string | undefined;
}

/** One stream, at one moment. Private resources do not appear in it. */
export interface StreamStatus {
  readonly subscriber: string;
  /** Unix milliseconds. */
  readonly connectedAt: number;
  /** Address and port of the TCP peer. */
  readonly peer: string;
  /** As the sidecar claims; undefined before its first request. */
  readonly node: ClaimedNode | undefined;
  /** The subscriber is not in the feed, or the feed has not begun: nothing is sent yet. */
  readonly held: boolean;
  readonly types: readonly TypeStatus[];
  /** The sidecar has asked for listeners, has all that it asked for, and accepted it. */
  readonly synced: boolean;
  /**
   * Everything that reached this stream up to this update was answered by Envoy: accepted, or refused and then listed
   * in {@link TypeStatus.rejected}. 0 until the stream is complete for the first time.
   */
  readonly ackedThrough: number;
  /** Serialized responses, without framing. */
  readonly bytesSent: number;
}
