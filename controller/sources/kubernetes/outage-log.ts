export type Log = (level: "info" | "warn" | "error", message: string) => void;

/** Says each trouble once, however many kinds have it, and when all are over. */
export class OutageLog {
  readonly #log: Log;
  readonly #troubles = new Map<string, string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Which kind, and what keeps it from being followed. */
  failing(kind: string, message: string): void {
    const isKnown = [...this.#troubles.values()].includes(message);
    this.#troubles.set(kind, message);
    if (!isKnown) this.#log("warn", `${kind} objects cannot be followed, and what was known of them stands: ${message}`);
  }

  recovered(kind: string): void {
    if (this.#troubles.delete(kind) && this.#troubles.size === 0) this.#log("info", "all kinds are followed again");
  }
}
