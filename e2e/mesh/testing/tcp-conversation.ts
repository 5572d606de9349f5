import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { within } from "../../support/eventually.ts";
import { Collected } from "../../support/collected.ts";

/** A TCP connection as a test sees it: what came, whether it is over. */
export class TcpConversation implements Disposable {
  readonly #socket: Socket;
  readonly #chunks = new Collected<string>();
  readonly #closed: Promise<unknown>;
  #received = "";

  private constructor(socket: Socket) {
    this.#socket = socket;
    const onData = (chunk: Buffer): void => {
      this.#received += chunk.toString();
      this.#chunks.add(chunk.toString());
    };
    socket.on("data", onData).on("error", () => undefined);
    this.#closed = once(socket, "close");
  }

  /** Resolves when the connection is there, whatever becomes of it. */
  static async open(address: string, port: number): Promise<TcpConversation> {
    const socket = connect({ host: address, port });
    await once(socket, "connect");
    return new TcpConversation(socket);
  }

  get received(): string {
    return this.#received;
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  say(text: string): void {
    this.#socket.write(text);
  }

  /** Resolves when all that came contains the text. */
  async heard(text: string): Promise<void> {
    if (!this.#received.includes(text)) await this.#chunks.waitFor(() => this.#received.includes(text));
  }

  /** Resolves when something more comes that was not sent before this was called. */
  async flows(): Promise<void> {
    const before = this.#received.length;
    await this.#chunks.waitFor(() => this.#received.length > before);
  }

  /** Resolves with all that came, when the other side has closed the connection. */
  async closed(): Promise<string> {
    await within("the other side closes the connection", this.#closed, { context: () => this.#received });
    return this.received;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
