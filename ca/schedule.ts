import { type Clock, MINUTE } from "./clock.ts";

interface Appointment {
  readonly due: number;
  /** Undefined once it was kept or cancelled. */
  call: (() => void) | undefined;
}

/** How many overdue calls are made before others get a turn: after a suspend a whole mesh is due at once. */
const CALLS_PER_TURN = 16;

/** Many calls at many moments on one timer. */
export class Schedule {
  readonly #clock: Clock;
  readonly #onFailure: (failure: unknown) => void;
  /** A binary heap: no appointment is due before its parent. */
  readonly #heap: Appointment[] = [];
  #cancelled = 0;
  #timer: { readonly due: number; readonly cancel: () => void } | undefined;

  /** A call that throws does not disturb the others; `onFailure` gets what it threw. */
  constructor(clock: Clock, onFailure: (failure: unknown) => void) {
    this.#clock = clock;
    this.#onFailure = onFailure;
  }

  /** Calls once, when the Unix time in milliseconds is reached or soon after; never before this returns. Returns what cancels the call. */
  at(due: number, call: () => void): () => void {
    const appointment: Appointment = { due, call };
    this.#push(appointment);
    this.#arm();
    return () => {
      if (appointment.call === undefined) return;
      appointment.call = undefined;
      this.#cancelled++;
      this.#forgetCancelled();
    };
  }

  /** How many calls are still to be made. */
  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  #keep(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (let calls = 0; calls < CALLS_PER_TURN;) {
      const first = this.#heap[0];
      if (first === undefined || first.due > now) break;
      this.#pop();
      const { call } = first;
      first.call = undefined;
      if (call === undefined) {
        this.#cancelled--;
        continue;
      }
      calls++;
      try {
        call();
      } catch (failure) {
        this.#onFailure(failure);
      }
    }
    this.#arm();
  }

  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined) {
      this.#timer?.cancel();
      this.#timer = undefined;
      return;
    }
    if (this.#timer !== undefined && this.#timer.due <= first.due) return;
    this.#timer?.cancel();
    // Timers stand still while a machine sleeps and do not follow when its clock is set, so the clock is read every minute.
    const wait = Math.min(Math.max(0, Math.ceil(first.due - this.#clock.now())), MINUTE);
    this.#timer = { due: first.due, cancel: this.#clock.after(wait, () => this.#keep()) };
  }

  /** Cancelled appointments leave when they come up, or all at once when they are the most. */
  #forgetCancelled(): void {
    if (this.#cancelled * 2 <= this.#heap.length) return;
    const live = this.#heap.filter(({ call }) => call !== undefined).sort((a, b) => a.due - b.due);
    this.#heap.splice(0, this.#heap.length, ...live);
    this.#cancelled = 0;
    this.#arm();
  }

  #push(appointment: Appointment): void {
    const heap = this.#heap;
    let index = heap.push(appointment) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.due <= appointment.due) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = appointment;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      const left = heap[2 * index + 1];
      const right = heap[2 * index + 2];
      if (left === undefined) break;
      const [child, at] = right !== undefined && right.due < left.due ? [right, 2 * index + 2] : [left, 2 * index + 1];
      if (child.due >= last.due) break;
      heap[index] = child;
      index = at;
    }
    heap[index] = last;
  }
}
