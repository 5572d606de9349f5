/** What a test asks of the caller in a pod (pod-program.ts), and the ports of the application there. */
import type { HeaderLine } from "../support/http-client.ts";

export const APPLICATION = {
  /** HTTP, declared. */
  http: 8080,
  /** Bytes, declared; the server speaks first. */
  tcp: 9000,
  /** HTTP/1 and HTTP/2, with a Service that does not say so. */
  detectedHttp: 7000,
  /** Bytes, the server first, with a Service that does not say so. */
  detectedTcp: 7100,
  /** HTTP on a port that nobody declares. */
  undeclared: 6000,
} as const;

export interface PodCall {
  readonly kind: "call";
  readonly address: string;
  readonly port: number;
  readonly version?: 1 | 2;
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly headers?: readonly HeaderLine[];
}

export interface PodConversation {
  readonly kind: "talk";
  readonly address: string;
  readonly port: number;
  readonly say?: string;
  /** Characters to wait for. */
  readonly until?: number;
  readonly patienceMs?: number;
}

export type PodRequest = PodCall | PodConversation;

export interface Conversation {
  readonly heard: string;
  /** `heard`, `closed`, `silence` or an error's code. */
  readonly outcome: string;
}
