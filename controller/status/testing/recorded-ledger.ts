import { within } from "../../../e2e/support/eventually.ts";
import type { AcknowledgementLedger } from "../acknowledgement-ledger.ts";

/** What a ledger was told, in order and in words, and how to wait for it. */
export class RecordedLedger {
  readonly events: string[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(ledger: AcknowledgementLedger) {
    ledger.listen({
      onAcknowledgement: (policy, pod, state) => {
        const short = policy.slice(policy.lastIndexOf("/") + 1);
        this.#add(`${pod} ${state === undefined ? "must show" : "runs"} ${short} ${/\/(\d+\S*) /.exec(state ?? "")?.[1] ?? ""}`.trim());
      },
      onRejection: (pod, words) => this.#add(`${pod} refuses ${words ?? "nothing"}`),
    });
  }

  /** Resolves when this has been heard since the last call. */
  async heard(event: string): Promise<void> {
    for (;;) {
      const index = this.events.indexOf(event);
      if (index >= 0) {
        this.events.splice(0, index + 1);
        return;
      }
      const next = new Promise<void>((resolve) => this.#waiting.add(resolve));
      await within(`the ledger is told "${event}"`, next, { context: () => this.events.join("\n") });
    }
  }

  #add(event: string): void {
    this.events.push(event);
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
