import { type HostPort, showHostPort } from "../host-port.ts";
import type { EnvoyNotice } from "./envoy-words.ts";
import { MAKE_ONE } from "./join-token-file.ts";

export interface NoticeBoardOptions {
  readonly controlPlane: HostPort;
  readonly serverName: string;
  readonly caFile: string | undefined;
  readonly tokenFile: string;
  readonly say: (message: string) => void;
  readonly now?: () => number;
}

const REPEAT_AFTER_MS = 60_000;

/** Tells a person what Envoy's notices mean and what to do, each once a minute at most. */
export class NoticeBoard {
  readonly #options: NoticeBoardOptions;
  readonly #now: () => number;
  readonly #told = new Map<string, number>();

  constructor(options: NoticeBoardOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  post(notice: EnvoyNotice): void {
    const message = this.#explain(notice);
    if (message === undefined) return;
    const last = this.#told.get(message);
    if (last !== undefined && this.#now() - last < REPEAT_AFTER_MS) return;
    this.#told.set(message, this.#now());
    this.#options.say(message);
  }

  /** What was told may be told again: things have changed. */
  clear(): void {
    this.#told.clear();
  }

  #explain(notice: EnvoyNotice): string | undefined {
    const { controlPlane, serverName, caFile, tokenFile } = this.#options;
    const where = showHostPort(controlPlane);
    switch (notice.kind) {
      case "unreachable":
        return `the control plane at ${where} cannot be reached (${notice.words}). Is \`seawall serve\` running, and is --control-plane right? Trying on.`;
      case "untrusted":
        return `the certificate of ${where} is not signed by a root in ${caFile ?? "--ca-file"} (${notice.words}). Take the mesh's own roots: trust.pem in the control plane's state folder, then start again. Trying on.`;
      case "other-name":
        return `the control plane at ${where} is not "${serverName}": its certificate is for ${notice.names}. Name one of these with --server-name. Trying on.`;
      case "no-tls":
        return `${where} answers without TLS: it is another program, or the control plane runs with --insecure-xds, and then this sidecar needs it too. Trying on.`;
      case "token-refused":
        return `the control plane refuses the token in ${tokenFile}: ${notice.words}. A new one in that file is taken at once: ${MAKE_ONE}. Trying on.`;
      case "stream-closed":
        return `the control plane closed the stream (gRPC status ${notice.status}: ${notice.words}). Trying on.`;
      case "port-occupied":
        return `${notice.listener} cannot listen on ${notice.address}:${notice.port}: another program does. Stop it (ss -ltnp 'sport = :${notice.port}' names it), or give the pod another port or address. Waiting until it is free.`;
      case "port-refused":
        return `${notice.listener} cannot listen on ${notice.address}: ${notice.words}. Give the pod an address of this machine (127.x.y.z works everywhere on Linux).`;
      case "configuration-refused":
        return `Envoy refuses a part of its configuration and keeps the last good one: ${notice.words}`;
      case "start-refused":
        return `Envoy does not start: ${notice.words}`;
      case "noise":
        return undefined;
      case "other":
        return `envoy ${notice.level}: ${notice.words}`;
    }
  }
}
