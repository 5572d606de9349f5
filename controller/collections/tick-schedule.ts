/** When a tick runs: as soon as the event loop has nothing more to say, and in a steady stream of events not too late. */
export interface ScheduleOptions {
  /** Calls back once, after the events that are waiting now. */
  readonly defer: (callback: () => void) => void;
  /** Milliseconds on any monotonic clock. */
  readonly now: () => number;
  /** Milliseconds from the first event of a burst to its tick, at most; counted between turns of the event loop. */
  readonly maxDelayMs: number;
}

export class TickSchedule {
  readonly #options: ScheduleOptions;
  readonly #run: () => void;
  #events = 0;
  /** Events when the present wait began. */
  #eventsSeen = 0;
  #firstEventAt = 0;
  #waiting = false;

  constructor(options: ScheduleOptions, run: () => void) {
    this.#options = options;
    this.#run = run;
  }

  /** Says that there is something for a tick to do. */
  request(): void {
    this.#events++;
    if (this.#waiting) return;
    this.#firstEventAt = this.#options.now();
    this.#wait();
  }

  /** Says that a tick has been run otherwise. */
  satisfied(): void {
    this.#events = 0;
  }

  #wait(): void {
    this.#waiting = true;
    this.#eventsSeen = this.#events;
    this.#options.defer(() => {
      this.#waiting = false;
      if (this.#events === 0) return;
      const quiet = this.#events === this.#eventsSeen;
      if (quiet || this.#options.now() - this.#firstEventAt >= this.#options.maxDelayMs) this.#run();
      else this.#wait();
    });
  }
}
