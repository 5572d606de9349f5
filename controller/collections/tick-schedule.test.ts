import { describe, expect, it } from "@jest/globals";
import { Graph } from "./graph.ts";

describe("when a tick runs", () => {
  function scheduled(): { graph: Graph; turn: () => void; clock: { now: number } } {
    const waiting: (() => void)[] = [];
    const clock = { now: 0 };
    const graph = new Graph({ schedule: (callback) => void waiting.push(callback), now: () => clock.now });
    const turn = (): void => {
      for (const callback of waiting.splice(0)) callback();
    };
    return { graph, turn, clock };
  }

  it("is when the event loop is idle", () => {
    const { graph, turn } = scheduled();
    const numbers = graph.source<string, number>("numbers");
    numbers.markSynced();
    turn();
    turn();
    numbers.set("a", 1);
    turn();
    expect(numbers.get("a")).toBe(1);
  });

  it("is when a burst of events has ended", () => {
    const { graph, turn, clock } = scheduled();
    const numbers = graph.source<string, number>("numbers");
    let ticks = 0;
    graph.onTick(() => ticks++);
    numbers.markSynced();
    graph.tick();
    for (let event = 0; event < 9; event++) {
      numbers.set("a", event);
      clock.now += 1;
      if (event > 0) turn();
    }
    expect(ticks).toBe(0);
    turn();
    expect([ticks, numbers.get("a")]).toEqual([1, 8]);
  });

  it("is 10 ms after the first event of a burst that does not end", () => {
    const { graph, turn, clock } = scheduled();
    const numbers = graph.source<string, number>("numbers");
    const ticks: number[] = [];
    graph.onTick(() => ticks.push(clock.now));
    numbers.markSynced();
    graph.tick();
    turn();
    for (let event = 0; event <= 25; event++) {
      numbers.set("a", event);
      numbers.set("b", event);
      turn();
      clock.now += 1;
    }
    expect(ticks).toEqual([10, 21]);
  });

  it("is not again after a tick that somebody ran by hand", () => {
    const { graph, turn } = scheduled();
    const numbers = graph.source<string, number>("numbers");
    let runs = 0;
    graph.derive("runs", numbers, () => runs++);
    numbers.set("a", 1);
    numbers.markSynced();
    graph.tick();
    turn();
    turn();
    expect(runs).toBe(1);
  });

  it("is by itself, with the real event loop", async () => {
    const graph = new Graph();
    const numbers = graph.source<string, number>("numbers");
    const doubled = graph.derive("doubled", numbers, (value) => value * 2);
    const published = new Promise((resolve) => doubled.onChange(resolve));
    numbers.set("a", 21);
    numbers.markSynced();
    await published;
    expect(doubled.get("a")).toBe(42);
  });
});
