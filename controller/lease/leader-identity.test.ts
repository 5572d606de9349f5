import { describe, expect, it } from "@jest/globals";
import { formatLeader, parseLeader } from "./leader-identity.ts";

describe("a leader's identity", () => {
  it.each([
    [{ pod: "seawall-7d9f-x2", host: "10.1.2.3", port: 15010 }, "seawall-7d9f-x2_10.1.2.3:15010"],
    [{ pod: "seawall-0", host: "fd00::1", port: 15010 }, "seawall-0_[fd00::1]:15010"],
  ])("tells where the leader is reached: %j", (identity, text) => {
    expect(formatLeader(identity)).toBe(text);
    expect(parseLeader(text)).toEqual(identity);
  });

  it.each(["", "seawall-0", "seawall-0_10.1.2.3", "_10.1.2.3:15010", "seawall-0_evil.example:15010", "seawall-0_10.1.2.3:70000"])(
    "is not read from %j",
    (text) => {
      expect(parseLeader(text)).toBeUndefined();
    },
  );
});
