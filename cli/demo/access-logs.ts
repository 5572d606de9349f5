/** What a sidecar logged of one request. */
export interface LoggedRequest {
  readonly direction: "inbound" | "outbound";
  readonly workload: string;
  readonly status?: number;
  readonly verdict?: "allowed" | "denied" | "limited";
  readonly policy?: string;
  readonly details?: string;
}

const PATIENCE_MS = 30_000;

/** The access logs of all sidecars, by request id. */
export class AccessLogs {
  readonly #entries = new Map<string, LoggedRequest[]>();
  readonly #waiting = new Map<string, () => void>();

  /** Takes one line of a sidecar's output; what is no access log is passed over. */
  read(line: string): void {
    if (!line.startsWith("{")) return;
    let entry: LoggedRequest & { readonly requestId?: string };
    try {
      entry = JSON.parse(line) as typeof entry;
    } catch {
      return;
    }
    if (entry.requestId === undefined) return;
    const known = this.#entries.get(entry.requestId) ?? [];
    known.push(entry);
    this.#entries.set(entry.requestId, known);
    this.#waiting.get(entry.requestId)?.();
  }

  /**
   * The entry that decided on a request: where it was refused, or else where it was let in. Waits a little, for logs are
   * written a moment after the answer; undefined when nobody logged it.
   */
  async decisive(requestId: string): Promise<LoggedRequest | undefined> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = pick(this.#entries.get(requestId) ?? []);
      const left = deadline - Date.now();
      if (found !== undefined || left <= 0) return found;
      const { promise, resolve } = Promise.withResolvers<undefined>();
      this.#waiting.set(requestId, () => resolve(undefined));
      const timer = setTimeout(() => resolve(undefined), left);
      await promise;
      clearTimeout(timer);
      this.#waiting.delete(requestId);
    }
  }

  /** What is known is of no use any more. */
  clear(): void {
    this.#entries.clear();
  }
}

function pick(entries: readonly LoggedRequest[]): LoggedRequest | undefined {
  return (
    entries.find(({ verdict }) => verdict === "denied" || verdict === "limited") ?? entries.find(({ direction }) => direction === "inbound")
  );
}
