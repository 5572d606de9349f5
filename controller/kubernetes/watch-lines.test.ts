import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { WatchLines } from "./watch-lines.ts";

describe("the lines of a watch", () => {
  it("are the same however their bytes are cut", () => {
    const line = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("\n"));
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(50)), fc.boolean(), (lines, cuts, isCutShort) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join("") + (isCutShort ? "rest" : ""));
        const reader = new WatchLines();
        const read: string[] = [];
        let start = 0;
        for (const cut of [...cuts, bytes.length]) {
          read.push(...reader.push(bytes.subarray(start, start + cut)));
          start += cut;
        }
        expect(read).toEqual(lines);
        expect(reader.isWithinLine).toBe(isCutShort);
      }),
    );
  });
});
