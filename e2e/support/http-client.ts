/**
 * What the hostile HTTP clients (http1-client.ts, http2-client.ts) share. They send what they are told, however odd, and
 * report what came back; what the standard clients would mend or refuse is the point of them.
 */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export type HeaderLine = readonly [name: string, value: string];

export interface HostileRequest {
  /** Sent as it is: lower case and unknown words are fine. */
  readonly method: string;
  /** The request target or :path, as it is. */
  readonly path: string;
  /** The Host line or :authority, as it is. Absent: none over HTTP/1, the address over HTTP/2. */
  readonly authority?: string;
  /** In this order; names may repeat. */
  readonly headers?: readonly HeaderLine[];
  readonly body?: string;
}

export interface HttpAnswer {
  /** 0 when the connection or stream was closed without an answer. */
  readonly status: number;
  /** Names in lower case; a name may repeat. */
  readonly headers: readonly HeaderLine[];
  readonly body: string;
}

export const NO_ANSWER: HttpAnswer = { status: 0, headers: [], body: "" };

/** The first line of that name. */
export function headerOf(answer: HttpAnswer, name: string): string | undefined {
  return answer.headers.find(([header]) => header === name)?.[1];
}

export interface ClientTls {
  /** PEM. Without it the server's certificate is not verified. */
  readonly ca?: string;
  /** PEM chain and key of a client certificate. */
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly alpn?: readonly string[];
}

export interface Server {
  readonly address?: string;
  readonly port: number;
  /** The client's own address, where it matters whose peer it is; any of 127.0.0.0/8. */
  readonly localAddress?: string;
  readonly tls?: ClientTls;
}

/** A connected socket, with the handshake done where there is TLS. Rejects when it cannot be had. */
export async function connectTo({ address = "127.0.0.1", port, localAddress, tls }: Server): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const plain = connectTcp({ host: address, port, ...(localAddress === undefined ? {} : { localAddress }) });
  const socket: Socket =
    tls === undefined
      ? plain.once("connect", () => resolve(plain))
      : connectTls(
          {
            socket: plain,
            ca: tls.ca,
            cert: tls.cert,
            key: tls.key,
            servername: tls.servername ?? "",
            ALPNProtocols: [...(tls.alpn ?? [])],
            rejectUnauthorized: tls.ca !== undefined,
            // Mesh certificates carry a SPIFFE id, no DNS name: the chain is what is verified.
            checkServerIdentity: () => undefined,
          },
          () => resolve(socket),
        );
  plain.once("error", reject);
  socket.once("error", reject);
  socket.setNoDelay(true);
  await promise;
  socket.removeListener("error", reject);
  plain.removeListener("error", reject);
  return socket;
}
