/** What Envoy's log says, as far as a person can do something about it. The words are those of the pinned version. */
import { reasonOf } from "../command-failure.ts";

/** Makes Envoy write what {@link readEnvoyLine} reads. */
export const ENVOY_LOG_FORMAT = "[%l][%n] %v";

export type EnvoyNotice =
  /** Nothing answers at the control plane's address. */
  | { readonly kind: "unreachable"; readonly words: string }
  /** Its certificate was not signed by a root that we trust. */
  | { readonly kind: "untrusted"; readonly words: string }
  /** Its certificate is good, and for other names. */
  | { readonly kind: "other-name"; readonly names: string }
  /** What answers speaks no TLS. */
  | { readonly kind: "no-tls" }
  /** The control plane does not accept our token. */
  | { readonly kind: "token-refused"; readonly words: string }
  /** The stream to the control plane ended with another status. */
  | { readonly kind: "stream-closed"; readonly status: number; readonly words: string }
  | { readonly kind: "port-occupied"; readonly listener: string; readonly address: string; readonly port: number }
  | { readonly kind: "port-refused"; readonly listener: string; readonly address: string; readonly words: string }
  /** Envoy does not accept something that the control plane sent. */
  | { readonly kind: "configuration-refused"; readonly words: string }
  /** The bootstrap itself is not accepted: Envoy ends. */
  | { readonly kind: "start-refused"; readonly words: string }
  /** Known, and nothing to do about. */
  | { readonly kind: "noise" }
  | { readonly kind: "other"; readonly level: string; readonly words: string };

const GRPC_UNAUTHENTICATED = 16;
const GRPC_PERMISSION_DENIED = 7;

const NOISE: readonly RegExp[] = [
  /^There is no configured limit to the number of allowed active downstream connections/,
  /^caught ENVOY_SIGTERM/,
  // The same failure is told by the listener itself, with its name.
  /^\w+: listener '[^']+' config rejected: cannot bind/,
  /Error adding\/updating listener\(s\) .*: cannot bind/,
  /^[\w/]+: cannot bind '/,
];

/** Reads one line of Envoy's log. */
export function readEnvoyLine(line: string): EnvoyNotice {
  const [, level = "", rest] = /^\[(\w+)\]\[[\w.]+\] (.*)$/.exec(line) ?? [];
  const words = rest ?? line;
  const bind = /^listener '([^']+)' failed to bind or apply socket options: cannot bind '(.+):(\d+)': (.+)$/.exec(words);
  if (bind !== null) return readBindFailure(bind);
  if (NOISE.some((pattern) => pattern.test(words)) || words === "") return { kind: "noise" };
  const closed = /gRPC config stream to \S+ closed(?: since \d+s ago)?: (\d+), (.*)$/.exec(words);
  if (closed !== null) return readStreamEnd(Number(closed[1]), closed[2] ?? "");
  const rejected = /^(?:delta config for|gRPC config for) \S*?([\w]+) rejected: (.*)$/.exec(words);
  if (rejected !== null) return { kind: "configuration-refused", words: `${rejected[1] ?? ""}: ${rejected[2] ?? ""}` };
  if (level === "critical") return { kind: "start-refused", words: words.replace(/^error initializing (?:configuration )?'[^']*': /, "") };
  return { kind: "other", level, words };
}

function readBindFailure([, listener = "", address = "", port = "", words = ""]: RegExpExecArray): EnvoyNotice {
  if (words === "Address already in use") return { kind: "port-occupied", listener, address, port: Number(port) };
  const reason = words === "Cannot assign requested address" ? reasonOf("EADDRNOTAVAIL") : words.toLowerCase();
  return { kind: "port-refused", listener, address: `${address}:${port}`, words: reason };
}

function readStreamEnd(status: number, text: string): EnvoyNotice {
  const words = decoded(text.replace(/\{via_upstream\}$/, ""));
  if (status === GRPC_UNAUTHENTICATED || status === GRPC_PERMISSION_DENIED) return { kind: "token-refused", words };
  const tls = /TLS_error:\|\d+:SSL_routines:OPENSSL_internal:(.*?):?TLS_error_end/.exec(words)?.[1]?.replaceAll("_", " ");
  if (tls !== undefined) {
    const names = /certificate SANs are \[([^\]]*)\]/.exec(tls)?.[1];
    if (names !== undefined) return { kind: "other-name", names };
    if (tls.startsWith("CERTIFICATE VERIFY FAILED")) return { kind: "untrusted", words: tls.split(": ").at(-1) ?? tls };
    if (tls.startsWith("WRONG VERSION NUMBER")) return { kind: "no-tls" };
    return { kind: "unreachable", words: `TLS: ${tls.toLowerCase()}` };
  }
  const connect = /remote_connection_failure\|delayed_connect_error:_([^}|]*)/.exec(words)?.[1];
  if (connect !== undefined) return { kind: "unreachable", words: connect.replaceAll("_", " ").toLowerCase() };
  if (words.includes("connection_timeout") || words.includes("connection timeout"))
    return { kind: "unreachable", words: "it does not answer" };
  return { kind: "stream-closed", status, words: words.split("{")[0] ?? words };
}

/** A gRPC message travels percent-encoded, and Envoy prints it so. */
function decoded(words: string): string {
  try {
    return decodeURIComponent(words);
  } catch {
    return words;
  }
}
