/**
 * A delta xDS client that does what a script says, on node:http2 with hand-written framing: light enough that one
 * process holds thousands of streams. Nothing is acknowledged unless the script does it or asks for it.
 */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type IncomingHttpHeaders } from "node:http2";
import { within } from "../../../e2e/support/eventually.ts";
import { connect as connectTls, type SecureContext, type TLSSocket } from "node:tls";

export interface ScriptedTarget {
  readonly host: string;
  readonly port: number;
  /** Undefined: plaintext. */
  readonly tls?: {
    /** PEM of the root to trust. */
    readonly ca: string;
    readonly servername?: string;
    /** Reuse one for many clients: making it is the dear part. */
    readonly secureContext?: SecureContext;
    readonly groups?: string;
  };
}

export interface ReceivedResource {
  readonly name: string;
  readonly version: string;
  readonly typeUrl: string;
  /** The serialized message. */
  readonly message: Uint8Array;
}

/** A response. Its resources are read from the bytes only when asked for. */
export class ReceivedResponse {
  readonly bytes: Buffer;
  readonly typeUrl: string;
  readonly nonce: string;

  constructor(bytes: Buffer) {
    const texts = new Map<number, string>();
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 4 || field === 5) texts.set(field, reader.string());
      else reader.skip(wireType, field);
    }
    this.bytes = bytes;
    this.typeUrl = texts.get(4) ?? "";
    this.nonce = texts.get(5) ?? "";
  }

  get resources(): ReceivedResource[] {
    return [...lengthDelimited(this.bytes, 2)].map((entry) => {
      const [any] = lengthDelimited(entry, 2);
      return {
        name: text(entry, 3),
        version: text(entry, 1),
        typeUrl: any ? text(any, 1) : "",
        message: any ? ([...lengthDelimited(any, 2)][0] ?? new Uint8Array()) : new Uint8Array(),
      };
    });
  }

  get names(): string[] {
    return this.resources.map(({ name }) => name).sort();
  }

  get removed(): string[] {
    return [...lengthDelimited(this.bytes, 6)].map((bytes) => Buffer.from(bytes).toString()).sort();
  }

  /** Versions by name, as `initial_resource_versions` takes them. */
  get versions(): Map<string, string> {
    return new Map(this.resources.map(({ name, version }) => [name, version]));
  }
}

export interface ScriptedRequest {
  readonly typeUrl: string;
  readonly subscribe?: readonly string[];
  readonly unsubscribe?: readonly string[];
  readonly initialVersions?: ReadonlyMap<string, string>;
  readonly nonce?: string;
  /** Makes the request a NACK. */
  readonly error?: string;
  readonly nodeId?: string;
}

/** How a call ended. `code` is the gRPC status; 14 with the reason when the connection just broke. */
export interface FinalStatus {
  readonly code: number;
  readonly message: string;
}

/** One connection. Streams that are opened on it share it. */
export class ScriptedClient {
  readonly #session: ClientHttp2Session;
  readonly #streams = new Set<ScriptedStream>();

  constructor(target: ScriptedTarget) {
    const { host, port, tls } = target;
    const authority = host.includes(":") ? `[${host}]` : host;
    this.#session = tls
      ? connect(`https://${authority}:${port}`, {
          createConnection: () =>
            connectTls({
              host,
              port,
              ca: tls.ca,
              servername: tls.servername ?? "localhost",
              ALPNProtocols: ["h2"],
              minVersion: "TLSv1.3",
              ...(tls.secureContext ? { secureContext: tls.secureContext } : {}),
              ...(tls.groups === undefined ? {} : { ecdhCurve: tls.groups }),
            }),
        })
      : connect(`http://${authority}:${port}`);
    // Each stream reports the end of the connection as its status.
    this.#session.on("error", (error: Error) => {
      for (const stream of this.#streams) stream.broken(error);
    });
  }

  /** Resolves once connected; rejects when that fails. */
  async connected(): Promise<this> {
    if (this.#session.connecting) {
      await new Promise<void>((resolve, reject) => {
        this.#session.once("connect", () => resolve());
        this.#session.once("error", reject);
        this.#session.once("close", () => reject(new Error("the server closed the connection")));
      });
    }
    return this;
  }

  get tlsSocket(): TLSSocket {
    return this.#session.socket as TLSSocket;
  }

  /** Opens a stream with this bearer token; undefined sends no authorization at all. */
  open(token: string | undefined): ScriptedStream {
    const call = this.#session.request({
      ":method": "POST",
      ":path": "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
      "content-type": "application/grpc",
      te: "trailers",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    });
    const stream = new ScriptedStream(call, () => this.#streams.delete(stream));
    this.#streams.add(stream);
    return stream;
  }

  /** Cuts the connection. */
  close(): void {
    this.#session.destroy();
  }
}

export class ScriptedStream {
  /** Resolves when the call has ended. */
  readonly ended: Promise<FinalStatus>;
  /** Responses that the script has not taken yet. */
  readonly inbox: ReceivedResponse[] = [];
  /** Called for each response instead of putting it in the inbox. */
  onResponse: ((response: ReceivedResponse, stream: this) => void) | undefined;
  bytesReceived = 0;
  readonly #call: ClientHttp2Stream;
  readonly #waiting: {
    readonly typeUrl: string | undefined;
    readonly resolve: (response: ReceivedResponse) => void;
    readonly reject: (error: Error) => void;
  }[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #end: (status: FinalStatus) => void = () => undefined;

  constructor(call: ClientHttp2Stream, forget: () => void) {
    this.#call = call;
    this.ended = new Promise((resolve) => (this.#end = resolve));
    call.on("data", (chunk: Buffer) => this.#receive(chunk));
    const readStatus = (headers: IncomingHttpHeaders): void => {
      const { "grpc-status": code, "grpc-message": message } = headers;
      if (typeof code === "string")
        this.#finish({ code: Number(code), message: typeof message === "string" ? decodeURIComponent(message) : "" });
    };
    call.on("response", readStatus);
    call.on("trailers", readStatus);
    call.on("error", (error: Error) => this.broken(error));
    call.on("close", () => {
      forget();
      this.broken(new Error("the connection was closed"));
    });
  }

  broken(error: Error): void {
    this.#finish({ code: 14, message: error.message });
  }

  send(request: ScriptedRequest): void {
    const message = encodeRequest(request);
    const frame = Buffer.allocUnsafe(5 + message.length);
    frame[0] = 0;
    frame.writeUInt32BE(message.length, 1);
    frame.set(message, 5);
    if (!this.#call.destroyed) this.#call.write(frame);
  }

  /** Writes these bytes into the stream as they are. */
  sendRaw(bytes: Buffer): void {
    this.#call.write(bytes);
  }

  subscribe(typeUrl: string, names: readonly string[] = [], initialVersions?: ReadonlyMap<string, string>): void {
    this.send({ typeUrl, subscribe: names, ...(initialVersions ? { initialVersions } : {}) });
  }

  unsubscribe(typeUrl: string, names: readonly string[]): void {
    this.send({ typeUrl, unsubscribe: names });
  }

  ack(response: ReceivedResponse): void {
    this.send({ typeUrl: response.typeUrl, nonce: response.nonce });
  }

  nack(response: ReceivedResponse, error: string): void {
    this.send({ typeUrl: response.typeUrl, nonce: response.nonce, error });
  }

  /** The next response of this type, or of any. Rejects when the call ends first. */
  next(typeUrl?: string): Promise<ReceivedResponse> {
    const index = this.inbox.findIndex((response) => typeUrl === undefined || response.typeUrl === typeUrl);
    const [found] = index < 0 ? [] : this.inbox.splice(index, 1);
    if (found) return Promise.resolve(found);
    const next = new Promise<ReceivedResponse>((resolve, reject) => this.#waiting.push({ typeUrl, resolve, reject }));
    return within(`a response of ${typeUrl ?? "any type"} comes`, next);
  }

  /** As {@link next}, and acknowledges it. */
  async take(typeUrl?: string): Promise<ReceivedResponse> {
    const response = await this.next(typeUrl);
    this.ack(response);
    return response;
  }

  /** Stops reading, so that the server's writes back up. */
  pause(): void {
    this.#call.pause();
  }

  resume(): void {
    this.#call.resume();
  }

  /** Cancels the call. */
  cancel(): void {
    this.#call.close(constants.NGHTTP2_CANCEL);
  }

  #receive(chunk: Buffer): void {
    this.bytesReceived += chunk.length;
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 5) {
      const end = 5 + this.#rest.readUInt32BE(1);
      if (this.#rest.length < end) return;
      const response = new ReceivedResponse(this.#rest.subarray(5, end));
      this.#rest = this.#rest.subarray(end);
      this.#deliver(response);
    }
  }

  #deliver(response: ReceivedResponse): void {
    if (this.onResponse) {
      this.onResponse(response, this);
      return;
    }
    const index = this.#waiting.findIndex(({ typeUrl }) => typeUrl === undefined || typeUrl === response.typeUrl);
    const [waiting] = index < 0 ? [] : this.#waiting.splice(index, 1);
    if (waiting) waiting.resolve(response);
    else this.inbox.push(response);
  }

  #finish(status: FinalStatus): void {
    this.#end(status);
    this.#call.end();
    for (const { reject } of this.#waiting.splice(0)) reject(new Error(`the call ended with ${status.code}: ${status.message}`));
  }
}

function encodeRequest(request: ScriptedRequest): Uint8Array {
  const writer = new BinaryWriter();
  const string = (field: number, value: string): void => void writer.tag(field, WireType.LengthDelimited).string(value);
  if (request.nodeId !== undefined) {
    writer.tag(1, WireType.LengthDelimited).fork();
    string(1, request.nodeId);
    writer.join();
  }
  string(2, request.typeUrl);
  for (const name of request.subscribe ?? []) string(3, name);
  for (const name of request.unsubscribe ?? []) string(4, name);
  for (const [name, version] of request.initialVersions ?? []) {
    writer.tag(5, WireType.LengthDelimited).fork();
    string(1, name);
    string(2, version);
    writer.join();
  }
  if (request.nonce !== undefined) string(6, request.nonce);
  if (request.error !== undefined) {
    writer.tag(7, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.Varint).int32(13);
    string(2, request.error);
    writer.join();
  }
  return writer.finish();
}

function* lengthDelimited(bytes: Uint8Array, wanted: number): Generator<Uint8Array> {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === wanted) yield reader.bytes();
    else reader.skip(wireType, field);
  }
}

function text(bytes: Uint8Array, field: number): string {
  const [found] = lengthDelimited(bytes, field);
  return found ? Buffer.from(found).toString() : "";
}
