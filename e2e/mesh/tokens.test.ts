import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HOUR, MINUTE } from "../../ca/clock.ts";
import { createJoinToken } from "../../ca/join-token.ts";
import { seawall, startSeawall } from "../../cli/testing/run-seawall.ts";
import type { RunningEnvoy } from "../support/envoy.ts";
import { eventually, until } from "../support/eventually.ts";
import { MovableClock, timeAgo } from "../support/movable-clock.ts";
import { XDS_PORT } from "./testing/control-plane.ts";
import { type RunningMesh, startMesh } from "./testing/running-mesh.ts";

const FILES = {
  "mesh.yaml": `
apiVersion: seawall.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec: { trustDomain: shop.example, access: { default: Deny } }
---
apiVersion: seawall.dev/v1alpha1
kind: AccessPolicy
metadata: { name: orders, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: orders }]
  action: Allow
  rules: [{ name: shop, from: [{ serviceAccounts: [web, batch] }] }]
`,
};

const clock = new MovableClock();
let shop: RunningMesh<"web" | "orders" | "batch" | "stolen">;

beforeAll(async () => {
  const later = { sidecar: "later" } as const;
  shop = await startMesh({ applications: { web: later, orders: {}, batch: later, stolen: later }, files: FILES, tokenClock: clock });
});

afterAll(() => shop.stop());

/** A token that was made so long ago. */
const token = (pod: string, ttl: number, age = 0): ReturnType<typeof createJoinToken> =>
  createJoinToken(shop.stateFolder, { namespace: "shop", pod, ttl }, { clock: timeAgo(age) });

const sidecarOptions = (file: string): string[] => [
  ...["sidecar", "--token-file", file, "--control-plane", `${shop.address}:${XDS_PORT}`],
  ...["--ca-file", join(shop.stateFolder, "trust.pem")],
];

/** What Envoy has to say; gRPC encodes the spaces of a status message. */
const words = (envoy: RunningEnvoy): string => envoy.stderr().replaceAll("%20", " ");

function tokenFile(name: string, content: string): string {
  const file = join(shop.stateFolder, "..", `${name}.token`);
  writeFileSync(file, content, { mode: 0o600 });
  return file;
}

describe("a join token", () => {
  it("gets its own pod's configuration, whatever its bearer says it is", async () => {
    const { token: stolen } = await token("stolen", HOUR);
    const envoy = await shop.startSidecarWith(stolen, "shop/orders");
    await envoy.waitReady();
    expect(await envoy.admin("/certs")).toContain("spiffe://shop.example/ns/shop/sa/stolen");
    const [certificates, configuration] = [await envoy.admin("/certs"), await envoy.admin("/config_dump?include_eds")];
    const own = shop.app("stolen").address;
    expect(await envoy.admin("/listeners")).toContain(`${own}:8080`);
    for (const text of [certificates, await envoy.admin("/listeners"), configuration.replaceAll('"shop/orders"', "")]) {
      expect(text).not.toContain("sa/orders");
      expect(text).not.toContain(shop.app("orders").address);
    }
    const status = (await shop.sidecars()).find(({ subscriber }) => subscriber === "shop/stolen");
    expect(status).toMatchObject({ connected: true, synced: true });
    await envoy.stop();
  });

  it("of a pod that does not exist is refused in words", async () => {
    const { token: foreign } = await token("nonesuch", HOUR);
    const envoy = await shop.startSidecarWith(foreign, "shop/orders");
    await until("Envoy is told", () => words(envoy).includes("there is no pod shop/nonesuch"));
    expect(await envoy.admin("/listeners")).toBe("");
    await envoy.stop();
  });

  it("that has expired is refused in words, by the sidecar before it starts and by the control plane", async () => {
    const { token: old } = await token("stolen", HOUR, 2 * HOUR);
    const envoy = await shop.startSidecarWith(old, "shop/stolen");
    await until("Envoy is told", () => words(envoy).includes("the join token expired on "));
    expect(await envoy.admin("/listeners")).toBe("");
    expect(await envoy.admin("/certs")).not.toContain("sa/stolen");
    await envoy.stop();
    const { code, messages } = await seawall(sidecarOptions(tokenFile("old", old)));
    expect(code).not.toBe(0);
    expect(messages).toMatch(/expired .* ago\. Make a new one: .*seawall token create/s);
  });

  it("made by another control plane is refused in words", async () => {
    const [header = "", payload = "", signature = ""] = (await token("stolen", HOUR)).token.split(".");
    const bent = signature.startsWith("A") ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
    const envoy = await shop.startSidecarWith(`${header}.${payload}.${bent}`, "shop/stolen");
    await until("Envoy is told", () => words(envoy).includes("not signed by this control plane"));
    await envoy.stop();
  });
});

describe("seawall sidecar", () => {
  it("writes the access log as JSON on its stdout, and everything else on stderr", async () => {
    const { token: fresh } = await token("batch", HOUR);
    const sidecar = startSeawall(sidecarOptions(tokenFile("batch", fresh)));
    await sidecar.messages.waitFor((line) => line.includes("ready after"));
    const { requestId, status } = await shop.call("batch", "orders");
    expect(status).toBe(200);
    const line = await sidecar.output.waitFor((text) => text.includes(requestId));
    expect(JSON.parse(line)).toMatchObject({ direction: "outbound", workload: "shop/batch", verdict: "allowed" });
    for (const text of sidecar.output.items) expect(() => JSON.parse(text) as unknown).not.toThrow();
    sidecar.child.kill("SIGTERM");
    expect(await sidecar.ended).toBe(0);
  });

  it("renews its token at half its life, and what is open outlives the first token", async () => {
    // Half of its life is over, so that it is renewed at once.
    const { token: first } = await token("web", 10 * HOUR, 5 * HOUR + MINUTE);
    const file = tokenFile("web", first);
    const sidecar = startSeawall(sidecarOptions(file));
    await sidecar.messages.waitFor((line) => line.includes("ready after"));
    using stream = await shop.stream("web", "orders");
    await until("the token was renewed", () => readFileSync(file, "utf8").trim() !== first);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    // The first token has run out, and no stream that was opened with the second one stays so long. The second is still good.
    const moved = clock.now() + 9 * HOUR;
    clock.move(9.75 * HOUR);
    const reconnected = await eventually("it has come back", async () => {
      const status = (await shop.sidecars()).find(({ subscriber }) => subscriber === "shop/web");
      return status?.synced === true && status.stream!.connectedAt > moved ? status : undefined;
    });
    expect(reconnected.connected).toBe(true);
    await stream.flows();
    expect((await shop.call("web", "orders")).status).toBe(200);
    sidecar.child.kill("SIGTERM");
    expect(await sidecar.ended).toBe(0);
  });
});
