/**
 * The least that an edit could cost on this machine: a file event in the same process, and one write on each of some
 * streams with the same TLS. Nothing is read, computed or decided in between.
 */
import { type FSWatcher, mkdtempSync, rmSync, watch } from "node:fs";
import { createSecureServer, createServer, type Http2SecureServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CertificateAuthority } from "../ca/authority.ts";
import { StateFolder } from "../ca/state-folder.ts";
import { encodeResponse } from "../xds-server/delta/encoding.ts";
import { TYPE_URL } from "../xds-server/delta/resource-types.ts";
import { monotonic } from "./monotonic.ts";

/** The name of the file whose saving is the event. */
export const FLOOR_FILE = "floor.yaml";

export class Floor {
  readonly port: number;
  readonly ca: string;
  /** On the monotonic clock. */
  eventAt = 0;
  readonly #server: Http2Server | Http2SecureServer;
  readonly #watcher: FSWatcher;
  readonly #streams: Set<ServerHttp2Stream>;
  #frame: Buffer = Buffer.alloc(0);

  private constructor(server: Http2Server | Http2SecureServer, ca: string, folder: string, streams: Set<ServerHttp2Stream>) {
    this.#server = server;
    this.#streams = streams;
    this.ca = ca;
    this.port = (server.address() as AddressInfo).port;
    this.#watcher = watch(folder, (_kind, name) => {
      if (name !== FLOOR_FILE) return;
      this.eventAt = monotonic();
      for (const stream of this.#streams) stream.write(this.#frame);
    });
  }

  static async open(folder: string, plaintext: boolean): Promise<Floor> {
    const streams = new Set<ServerHttp2Stream>();
    const { server, ca } = plaintext ? { server: createServer(), ca: "" } : secureServer();
    server.on("stream", (stream: ServerHttp2Stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" });
      stream.on("error", () => undefined);
      stream.on("close", () => streams.delete(stream));
      stream.resume();
      streams.add(stream);
      // Tells the client that events reach it from now on.
      stream.write(frameOf(100));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return new Floor(server, ca, folder, streams);
  }

  /** Each event writes a response of this many bytes from now on. */
  prepare(bytes: number): void {
    this.#frame = frameOf(bytes);
  }

  close(): void {
    this.#watcher.close();
    for (const stream of this.#streams) stream.session?.destroy();
    this.#server.close();
  }
}

function frameOf(bytes: number): Buffer {
  const response = encodeResponse(TYPE_URL.route, [Buffer.alloc(Math.max(0, bytes - 100))], [], "floor");
  const frame = Buffer.alloc(5 + response.length);
  frame.writeUInt32BE(response.length, 1);
  frame.set(response, 5);
  return frame;
}

function secureServer(): { readonly server: Http2SecureServer; readonly ca: string } {
  const folder = mkdtempSync(join(tmpdir(), "seawall-floor-"));
  try {
    const authority = new CertificateAuthority({ store: StateFolder.open(join(folder, "state"), "write"), trustDomain: "floor.example" });
    const { chainPem, key } = authority.issue({ trustDomain: "floor.example", namespace: "bench", serviceAccount: "floor" }, ["localhost"]);
    const server = createSecureServer({ cert: chainPem, key: key.reveal(), minVersion: "TLSv1.3" });
    return { server, ca: authority.trust.pem };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
