/** The redirect in a real kernel: who is led to the sidecar, and who is not. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { SIDECAR_UID, APPLICATION_PRIORITY } from "../../xds-server/envoy/sidecar-ports.ts";
import { redirectRules } from "./redirect-rules.ts";
import { type Dialler, POD, type TwoNamespaces, twoNamespaces, WORLD } from "./testing/two-namespaces.ts";

const EXCLUDED = { inboundPorts: [9000], outboundPorts: [5432], outboundCidrs: ["10.78.0.0/16", "fd78::/16"] };
const SIDECAR: Dialler = { user: SIDECAR_UID };
const SIDECAR_TO_APPLICATION: Dialler = { user: SIDECAR_UID, priority: APPLICATION_PRIORITY };
const APPLICATION: Dialler = { user: 1000 };

let network: TwoNamespaces;

beforeAll(async () => {
  network = await twoNamespaces([8080, 9000, 15001, 15006, 15020, 15021, 15090], [53, 80, 5432]);
  await network.inPod("/usr/sbin/nft", redirectRules(EXCLUDED));
});
afterAll(async () => {
  await network[Symbol.asyncDispose]();
});

describe.each(["ipv4", "ipv6"] as const)("over %s", (family) => {
  it.each([
    ["the application's port", 8080, "pod 15006"],
    ["a port that nobody listens on", 4711, "pod 15006"],
    ["the outbound listener itself", 15001, "pod 15006"],
    ["an excluded port", 9000, "pod 9000"],
    ["the probes", 15020, "pod 15020"],
    ["readiness", 15021, "pod 15021"],
    ["metrics", 15090, "pod 15090"],
  ])("a call from outside to %s is taken by whom it should", async (_what, port, taker) => {
    expect(await network.dial("world", POD[family], port)).toBe(taker);
  });

  it.each([
    ["the application's calls go to the sidecar", WORLD[family], 80, APPLICATION, "pod 15001"],
    ["so do those of root", WORLD[family], 80, {}, "pod 15001"],
    ["the sidecar's own go out", WORLD[family], 80, SIDECAR, "world 80"],
    ["DNS goes out", WORLD[family], 53, APPLICATION, "world 53"],
    ["excluded ports go out", WORLD[family], 5432, APPLICATION, "world 5432"],
    ["excluded networks are let be", WORLD.elsewhere[family], 80, APPLICATION, "world 80"],
    ["the application reaches itself", POD[family], 8080, APPLICATION, "pod 8080"],
    ["the sidecar meets itself where a Service led it back", POD[family], 8080, SIDECAR, "pod 15006"],
    ["the sidecar reaches its application", POD[family], 8080, SIDECAR_TO_APPLICATION, "pod 8080"],
    ["the sidecar reaches what is excluded of its own pod", POD[family], 9000, SIDECAR, "pod 9000"],
    ["loopback is nobody's business", family === "ipv4" ? "127.0.0.1" : "::1", 8080, APPLICATION, "pod 8080"],
    ["not even the sidecar's", family === "ipv4" ? "127.0.0.1" : "::1", 8080, SIDECAR, "pod 8080"],
  ])("%s", async (_what, host, port, dialler, taker) => {
    expect(await network.dial("pod", host, port, dialler)).toBe(taker);
  });
});

describe("the rules", () => {
  it.each(["ipv4", "ipv6"] as const)("let datagrams be, DNS and others, on their way out and in (%s)", async (family) => {
    const application = { ...APPLICATION, protocol: "udp" } as const;
    expect(await network.dial("pod", WORLD[family], 53, application)).toBe("world 53");
    expect(await network.dial("pod", WORLD[family], 80, application)).toBe("world 80");
    expect(await network.dial("world", POD[family], 8080, { protocol: "udp" })).toBe("pod 8080");
  });

  it("are the same when they are set again", async () => {
    const before = await network.inPod("/usr/sbin/nft", "list ruleset");
    await network.inPod("/usr/sbin/nft", redirectRules(EXCLUDED));
    expect(await network.inPod("/usr/sbin/nft", "list ruleset")).toBe(before);
    expect(await network.dial("world", POD.ipv4, 8080)).toBe("pod 15006");
  });
});
