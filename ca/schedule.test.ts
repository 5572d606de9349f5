import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { DAY, HOUR, MINUTE } from "./clock.ts";
import { Schedule } from "./schedule.ts";
import { FakeClock } from "./testing/fake-clock.ts";

function refuse(failure: unknown): void {
  throw failure;
}

describe("a schedule", () => {
  it("makes every call that was not cancelled, once, in order, and none before it is due", () => {
    const appointments = fc.array(
      fc.record({ wait: fc.integer({ min: 0, max: 3 * DAY }), cancelAt: fc.option(fc.integer({ min: 0, max: 3 * DAY })) }),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(appointments, (planned) => {
        const clock = new FakeClock();
        const schedule = new Schedule(clock, refuse);
        const start = clock.now();
        const made: { due: number; at: number; index: number }[] = [];
        planned.forEach(({ wait, cancelAt }, index) => {
          const cancel = schedule.at(start + wait, () => made.push({ due: start + wait, at: clock.now(), index }));
          if (cancelAt !== null) clock.after(cancelAt, cancel);
        });
        clock.advance(4 * DAY);
        const expected = planned.flatMap(({ wait, cancelAt }, index) => (cancelAt === null || cancelAt > wait ? [index] : []));
        const undecided = planned.flatMap(({ wait, cancelAt }, index) => (cancelAt === wait ? [index] : []));
        expect(
          made
            .map(({ index }) => index)
            .filter((index) => !undecided.includes(index))
            .sort((a, b) => a - b),
        ).toEqual(expected);
        expect(made.map(({ due }) => due)).toEqual(made.map(({ due }) => due).sort((a, b) => a - b));
        for (const { due, at } of made) expect(at).toBe(due);
        expect(schedule.size).toBe(0);
        expect(clock.timers).toBe(0);
      }),
    );
  });

  it("needs one timer for a thousand calls", () => {
    const clock = new FakeClock();
    const schedule = new Schedule(clock, refuse);
    for (let index = 0; index < 1000; index++) schedule.at(clock.now() + (index % 7) * HOUR, () => undefined);
    expect([schedule.size, clock.timers]).toEqual([1000, 1]);
  });

  it("catches up within a minute of waking when the machine slept through an appointment", () => {
    const clock = new FakeClock();
    const schedule = new Schedule(clock, refuse);
    let calls = 0;
    schedule.at(clock.now() + 8 * HOUR, () => calls++);
    clock.advance(MINUTE / 2);
    clock.skip(9 * HOUR);
    clock.advance(MINUTE);
    expect(calls).toBe(1);
  });

  it("lets others have a turn when very much is overdue at once", () => {
    const clock = new FakeClock();
    const schedule = new Schedule(clock, refuse);
    const order: string[] = [];
    for (let index = 0; index < 100; index++) schedule.at(clock.now(), () => order.push("overdue"));
    clock.after(0, () => order.push("other"));
    clock.advance(0);
    expect(order).toHaveLength(101);
    expect(order.indexOf("other")).toBeLessThan(50);
  });

  it("makes the other calls when one throws, and reports what it threw", () => {
    const clock = new FakeClock();
    const failures: unknown[] = [];
    const schedule = new Schedule(clock, (failure) => failures.push(failure));
    let calls = 0;
    schedule.at(clock.now() + 1, () => refuse("broken"));
    schedule.at(clock.now() + 1, () => calls++);
    clock.advance(1);
    expect([failures, calls]).toEqual([["broken"], 1]);
  });

  it("forgets what was cancelled long before it would have been due", () => {
    const clock = new FakeClock();
    const schedule = new Schedule(clock, refuse);
    const cancels = Array.from({ length: 100 }, (_, index) => schedule.at(clock.now() + DAY + index, () => undefined));
    for (const cancel of [...cancels, ...cancels]) cancel();
    expect([schedule.size, clock.timers]).toEqual([0, 0]);
  });
});
