import type { CallAnswer } from "./running-mesh.ts";
import { eventually } from "../../support/eventually.ts";

/** Calls that go on, one after the other, until they are stopped. */
export class Traffic implements Disposable {
  readonly #statuses: number[] = [];
  readonly #done: Promise<void>;
  #stopping = false;

  constructor(call: () => Promise<CallAnswer>) {
    this.#done = this.#run(call);
  }

  async #run(call: () => Promise<CallAnswer>): Promise<void> {
    while (!this.#stopping) this.#statuses.push((await call().catch(() => ({ status: -1 }))).status);
  }

  /** Resolves when so many more calls have ended that were begun after this was called. */
  async goesOn(calls: number): Promise<void> {
    const enough = this.#statuses.length + calls + 1;
    await eventually(`${calls} more calls have ended`, () => (this.#statuses.length >= enough ? true : undefined));
  }

  [Symbol.dispose](): void {
    this.#stopping = true;
  }

  /** The statuses of all calls; -1 is one that could not even be made. */
  async stop(): Promise<readonly number[]> {
    this.#stopping = true;
    await this.#done;
    return this.#statuses;
  }
}
