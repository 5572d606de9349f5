import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { endWithTests } from "./endings.ts";

export interface ListeningServer {
  readonly port: number;
  /** Closes the port and every connection. Harmless the second time, and done at the end of the tests in any case. */
  readonly stop: () => Promise<void>;
}

/** Opens a TCP server's port on `address`; 0 lets the system choose. `sockets` are the connections that stopping ends. */
export async function listen(server: Server, address: string, port: number, sockets: ReadonlySet<Socket>): Promise<ListeningServer> {
  server.listen(port, address);
  await once(server, "listening");
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error(`the server on ${address} has no TCP port`);
  const stop = async (): Promise<void> => {
    forget();
    if (!server.listening) return;
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, "close");
  };
  const forget = endWithTests(stop);
  return { port: bound.port, stop };
}
