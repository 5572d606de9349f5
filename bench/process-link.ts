/** Questions and answers between the bench and the two processes that it measures, over Node's own IPC channel. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** What a process can be asked, by name: the shape of the question and of its answer. */
export type Protocol<P> = Record<keyof P, { readonly question: unknown; readonly answer: unknown }>;

export type Answerers<P extends Protocol<P>> = {
  readonly [Name in keyof P]: (question: P[Name]["question"]) => P[Name]["answer"] | Promise<P[Name]["answer"]>;
};

interface Asked {
  readonly id: number;
  readonly name: string;
  readonly question: unknown;
}

type Answered = { readonly id: number; readonly answer: unknown } | { readonly id: number; readonly error: string };

/** Answers the parent until it goes away; then calls `stop` and ends, so that no process outlives the bench. */
export function answerParent<P extends Protocol<P>>(answerers: Answerers<P>, stop: () => void | Promise<void>): void {
  const answer = async ({ id, name, question }: Asked): Promise<void> => {
    let reply: Answered;
    try {
      reply = { id, answer: await answerers[name as keyof P](question) };
    } catch (error) {
      reply = { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    if (process.connected) process.send?.(reply);
  };
  process.on("message", (asked: Asked) => void answer(asked));
  process.once("disconnect", () => void Promise.resolve(stop()).finally(() => process.exit(0)));
  // Ctrl-C reaches the whole group; the parent decides when it is over.
  process.on("SIGINT", () => undefined);
}

const STOP_PATIENCE_MS = 5_000;

/** A child that runs one module and answers questions. */
export class MeasuredProcess<P extends Protocol<P>> implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #waiting = new Map<number, { readonly resolve: (answer: never) => void; readonly reject: (error: Error) => void }>();
  #asked = 0;

  constructor(module: URL, parameters: unknown, nodeOptions: readonly string[] = []) {
    this.#name = module.pathname.slice(module.pathname.lastIndexOf("/") + 1);
    this.#child = fork(module, [JSON.stringify(parameters)], {
      execArgv: [...nodeOptions],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child.on("message", (answered: Answered) => {
      const waiting = this.#waiting.get(answered.id);
      this.#waiting.delete(answered.id);
      if ("error" in answered) waiting?.reject(new Error(`${this.#name}: ${answered.error}`));
      else waiting?.resolve(answered.answer as never);
    });
    this.#child.once("exit", (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${this.#name} ended with ${signal ?? code}`));
      this.#waiting.clear();
    });
  }

  ask<Name extends keyof P & string>(name: Name, question: P[Name]["question"]): Promise<P[Name]["answer"]> {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, name, question } satisfies Asked, (error) => {
        if (error) reject(error);
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_PATIENCE_MS);
    await ended;
    clearTimeout(timer);
  }
}
