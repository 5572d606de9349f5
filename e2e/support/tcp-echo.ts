/** A TCP service that returns what it receives, for ports that speak no HTTP. */
import { createServer, type Socket } from "node:net";
import { Collected } from "./collected.ts";
import { listen } from "./loopback-server.ts";

export interface TcpEcho extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  /** Chunks received on all connections. */
  readonly received: Collected<string>;
  /** Connections that are open now. */
  readonly open: number;
  stop(): Promise<void>;
}

/** `greeting` is sent as soon as a client connects, as a server-first protocol does. */
export async function startTcpEcho(options: { address?: string; port?: number; greeting?: string } = {}): Promise<TcpEcho> {
  const { address = "127.0.0.1", port = 0, greeting } = options;
  const received = new Collected<string>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
    if (greeting !== undefined) socket.write(greeting);
    socket.on("data", (chunk: Buffer) => {
      received.add(chunk.toString());
      socket.write(chunk);
    });
  });
  const listening = await listen(server, address, port, sockets);
  return {
    address,
    port: listening.port,
    received,
    get open() {
      return sockets.size;
    },
    stop: listening.stop,
    [Symbol.asyncDispose]: listening.stop,
  };
}
