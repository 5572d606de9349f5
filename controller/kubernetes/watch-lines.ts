/** A watch's answer is one JSON object a line. Cuts bytes as they arrive into whole lines. */
const NEWLINE = 0x0a;

export class WatchLines {
  #rest: Buffer[] = [];

  /** The lines that are whole with this chunk, without their ends. Empty lines are left out. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const part = chunk.subarray(start, end);
      const line = this.#rest.length === 0 ? part : Buffer.concat([...this.#rest, part]);
      this.#rest = [];
      if (line.length > 0) lines.push(line.toString("utf8"));
      start = end + 1;
    }
    if (start < chunk.length) this.#rest.push(chunk.subarray(start));
    return lines;
  }

  /** True when the bytes so far end within a line. */
  get isWithinLine(): boolean {
    return this.#rest.length > 0;
  }
}
