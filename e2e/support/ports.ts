import { once } from "node:events";
import { createServer } from "node:net";

/**
 * A TCP port that was free a moment ago on `address`. Another process may take it before you do: where the program can
 * bind port 0 itself and report what it got (startEnvoy does), prefer that.
 */
export async function freePort(address = "127.0.0.1"): Promise<number> {
  const server = createServer();
  server.listen(0, address);
  await once(server, "listening");
  const bound = server.address();
  server.close();
  await once(server, "close");
  if (bound === null || typeof bound === "string") throw new Error(`no TCP port on ${address}`);
  return bound.port;
}
