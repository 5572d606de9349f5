/**
 * Accepts connections and hands them to gRPC. It owns the sockets, so that TLS is exactly as we want it, the
 * certificate can be replaced while the port is open, and a client that speaks no xDS is seen and closed.
 */
import { once } from "node:events";
import { createServer as createPlainServer, isIP, type Server, type Socket } from "node:net";
import { createSecureContext, createServer as createTlsServer, type Server as TlsServer, type TlsOptions, type TLSSocket } from "node:tls";
import type { Clock } from "./clock.ts";
import { DeltaServerError } from "./delta-server-error.ts";
import { codeOf, messageOf } from "./error-message.ts";
import type { LogLimiter } from "./log-limiter.ts";
import type { RefusalReason } from "./observer.ts";

export interface ServerCertificate {
  /** PEM: the leaf and what leads to the root, leaf first. */
  readonly chain: string;
  /** PEM, PKCS#8 or SEC1. */
  readonly privateKey: string;
}

export interface ListenOptions {
  /** An IP address. */
  readonly host: string;
  /** 0: the operating system chooses. */
  readonly port: number;
  /** TLS 1.3 with this certificate, or plaintext, which is only for measuring and only on a loopback address. */
  readonly security: { readonly kind: "tls"; readonly certificate: ServerCertificate } | { readonly kind: "insecure" };
}

export interface ListeningAddress {
  readonly host: string;
  readonly port: number;
}

export interface TransportOptions {
  readonly clock: Clock;
  readonly log: LogLimiter;
  /** Milliseconds from the connection to the end of the TLS handshake, and again to the first call. */
  readonly handshakeTimeoutMs: number;
  readonly inject: (socket: Socket) => void;
  readonly refused: (reason: RefusalReason, peer: string) => void;
}

/** RFC 8446's mandatory group last. */
const CLASSICAL_GROUPS = "X25519:P-256";
/** The slash makes OpenSSL ask for the first group even when the client has made its key share for another. */
const GROUPS = `X25519MLKEM768/${CLASSICAL_GROUPS}`;

interface Connection {
  readonly socket: Socket;
  spoke: boolean;
}

export class Transport {
  readonly #options: TransportOptions;
  readonly #groups = supportedGroups();
  readonly #connections = new Map<string, Connection>();
  #server: Server | undefined;
  #tls: TlsServer | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /** Rejects with a {@link DeltaServerError}. */
  async listen(options: ListenOptions): Promise<ListeningAddress> {
    const { host, port, security } = options;
    if (security.kind === "insecure" && !isLoopback(host)) {
      throw new DeltaServerError(
        "InsecureNotLoopback",
        `refusing to serve xDS in plaintext on ${host}: tokens and keys would travel in the open. Listen on 127.0.0.1 or ::1, or use TLS.`,
      );
    }
    const server = security.kind === "insecure" ? this.#plainServer() : this.#tlsServer(security.certificate);
    server.listen({ host, port });
    try {
      await once(server, "listening");
    } catch (error) {
      throw listenError(error, host, port);
    }
    server.on("error", (error: Error) => this.#options.log.line("listener", `xDS listener: ${error.message}`));
    this.#server = server;
    const bound = server.address();
    return bound === null || typeof bound === "string" ? { host, port } : { host: bound.address, port: bound.port };
  }

  /** New connections get this certificate; open ones keep theirs. Throws a {@link DeltaServerError} and changes nothing when it is unusable. */
  replaceCertificate(certificate: ServerCertificate): void {
    const context = this.#context(certificate);
    this.#tls?.setSecureContext(context);
  }

  /** A call came over the connection from this peer. */
  spoke(peer: string): void {
    const connection = this.#connections.get(peer);
    if (connection) connection.spoke = true;
  }

  /** Cuts a connection that does not end by itself. */
  cut(peer: string): void {
    this.#connections.get(peer)?.socket.destroy();
  }

  /** Accepts nothing new. Open connections stay. */
  stopAccepting(): void {
    this.#server?.close();
  }

  /** Resolves when every connection is closed; those that are not after this many milliseconds are cut. */
  async closed(graceMs: number): Promise<void> {
    if (this.#connections.size === 0) return;
    const stopTimer = this.#options.clock.after(graceMs, () => {
      for (const { socket } of this.#connections.values()) socket.destroy();
    });
    await Promise.all([...this.#connections.values()].map(({ socket }) => new Promise((resolve) => socket.once("close", resolve))));
    stopTimer();
  }

  #plainServer(): Server {
    return createPlainServer({ noDelay: true, keepAlive: true }, (socket) => this.#accept(socket));
  }

  #tlsServer(certificate: ServerCertificate): TlsServer {
    const { handshakeTimeoutMs, log, refused } = this.#options;
    const options = {
      ...this.#context(certificate),
      ALPNProtocols: ["h2"],
      handshakeTimeout: handshakeTimeoutMs,
      noDelay: true,
      keepAlive: true,
    };
    const server = createTlsServer(options, (socket) => {
      if (socket.alpnProtocol === "h2") this.#accept(socket);
      else {
        this.#refuse("not-xds", peerOf(socket), "it does not speak HTTP/2 (no ALPN h2)");
        socket.destroy();
      }
    });
    server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      const peer = peerOf(socket);
      refused("tls-handshake", peer);
      log.line("tls-handshake", `xDS: the TLS handshake with ${peer} failed: ${firstLine(error.message)}`);
      socket.destroy();
    });
    this.#tls = server;
    return server;
  }

  #context(certificate: ServerCertificate): TlsOptions {
    const context: TlsOptions = { cert: certificate.chain, key: certificate.privateKey, minVersion: "TLSv1.3", ecdhCurve: this.#groups };
    try {
      createSecureContext(context);
    } catch (error) {
      throw new DeltaServerError("CertificateInvalid", `the xDS server's certificate cannot be used: ${messageOf(error)}`, {
        cause: error,
      });
    }
    return context;
  }

  #accept(socket: Socket): void {
    const { clock, handshakeTimeoutMs, inject } = this.#options;
    const peer = peerOf(socket);
    const connection: Connection = { socket, spoke: false };
    this.#connections.set(peer, connection);
    // What goes wrong on a socket ends it; the end is what is handled.
    socket.on("error", () => undefined);
    const stopTimer = clock.after(handshakeTimeoutMs, () => {
      if (!connection.spoke) socket.destroy();
    });
    socket.once("close", () => {
      stopTimer();
      this.#connections.delete(peer);
      if (!connection.spoke) this.#refuse("not-xds", peer, "it made no xDS call");
    });
    inject(socket);
  }

  #refuse(reason: RefusalReason, peer: string, why: string): void {
    this.#options.refused(reason, peer);
    this.#options.log.line(reason, `xDS: closed a connection from ${peer}: ${why}`);
  }
}

/** Loopback addresses by their text: 127.0.0.0/8 and ::1. A name is none: it may resolve to anything. */
function isLoopback(host: string): boolean {
  return (isIP(host) === 4 && host.startsWith("127.")) || host === "::1";
}

/** Node before 24 cannot do the post-quantum group. */
function supportedGroups(): string {
  try {
    createSecureContext({ ecdhCurve: GROUPS });
    return GROUPS;
  } catch {
    return CLASSICAL_GROUPS;
  }
}

/** As gRPC names its peers. A socket that is closed already no longer knows. */
function peerOf(socket: Socket): string {
  return socket.remoteAddress === undefined ? "a client that has left" : `${socket.remoteAddress}:${socket.remotePort ?? 0}`;
}

function listenError(error: unknown, host: string, port: number): DeltaServerError {
  const options = { cause: error };
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return new DeltaServerError(
        "AddressInUse",
        `port ${port} on ${host} is in use, perhaps by another Seawall. Stop that process (ss -ltnp 'sport = :${port}' names it) or choose another port.`,
        options,
      );
    case "EADDRNOTAVAIL":
      return new DeltaServerError(
        "AddressNotAvailable",
        `${host} is not an address of this machine. Choose one of its own, or 0.0.0.0.`,
        options,
      );
    case "EACCES":
      return new DeltaServerError("AddressForbidden", `this user may not listen on port ${port}. Choose a port above 1023.`, options);
    default:
      return new DeltaServerError("ListenFailed", `cannot listen on ${host} port ${port}: ${messageOf(error)}`, options);
  }
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
