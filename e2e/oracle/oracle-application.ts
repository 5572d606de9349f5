/** The application behind the sidecar: answers every request with 200, however odd it is, and remembers which it was. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { endWithTests } from "../support/endings.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

export interface OracleApplication {
  readonly port: number;
  /** The `x-request-id` of every request that arrived. */
  readonly received: ReadonlySet<string>;
}

/** Reads heads of requests, not HTTP: no server that understands a request would answer all of these. They have no bodies. */
export async function startOracleApplication(): Promise<OracleApplication> {
  const received = new Set<string>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let pending = "";
    socket.on("data", (chunk) => {
      pending += chunk.toString("latin1");
      const heads = pending.split("\r\n\r\n");
      pending = heads.pop() ?? "";
      for (const head of heads) {
        received.add(/^x-request-id: *(.*)$/im.exec(head)?.[1]?.trim() ?? "");
        socket.write(OK);
      }
    });
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  endWithTests(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the application has no TCP port");
  return { port: address.port, received };
}
