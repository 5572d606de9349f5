import { describe, expect, it } from "@jest/globals";
import { OutageLog } from "./outage-log.ts";

describe("the log of an outage", () => {
  it("has one line for all kinds that have the same trouble, and one when all are over", () => {
    const lines: string[] = [];
    const log = new OutageLog((level, message) => lines.push(`${level} ${message}`));
    for (const kind of ["Pod", "Service", "Pod"]) log.failing(kind, "the server is away");
    log.recovered("Namespace");
    log.recovered("Pod");
    log.failing("Pod", "forbidden");
    log.recovered("Service");
    log.recovered("Pod");
    log.recovered("Pod");
    expect(lines).toEqual([
      "warn Pod objects cannot be followed, and what was known of them stands: the server is away",
      "warn Pod objects cannot be followed, and what was known of them stands: forbidden",
      "info all kinds are followed again",
    ]);
  });
});
