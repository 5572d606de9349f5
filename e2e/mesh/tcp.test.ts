import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { startTcpEcho } from "../support/tcp-echo.ts";
import { TCP_PORT } from "./testing/application.ts";
import { eventually } from "../support/eventually.ts";
import { type RunningMesh, startMesh } from "./testing/running-mesh.ts";
import { TcpConversation } from "./testing/tcp-conversation.ts";

const GREETING = "220 ledger, who is there?\r\n";

const mesh = (access: string): string => `
apiVersion: seawall.dev/v1alpha1
kind: MeshConfig
metadata: { name: mesh }
spec: { trustDomain: shop.example, access: { default: ${access} } }
`;

const LEDGER = `
apiVersion: seawall.dev/v1alpha1
kind: AccessPolicy
metadata: { name: ledger, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: ledger }]
  action: Allow
  rules:
    - name: web-keeps-books
      from: [{ serviceAccounts: [web] }]
      to: [{ ports: [9000] }]
    - name: batch-asks-for-health
      from: [{ serviceAccounts: [batch] }]
      to: [{ ports: [8080] }]
`;

const NOT_BATCH = `
apiVersion: seawall.dev/v1alpha1
kind: AccessPolicy
metadata: { name: not-batch, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: ledger }]
  action: Deny
  rules: [{ name: keep-out, from: [{ serviceAccounts: [batch] }] }]
`;

const EMPTY = "# nothing";

let shop: RunningMesh<"web" | "ledger" | "batch">;

beforeAll(async () => {
  shop = await startMesh({
    applications: { web: {}, ledger: { tcp: { greeting: GREETING } }, batch: {} },
    files: { "mesh.yaml": mesh("Deny"), "ledger.yaml": LEDGER, "more.yaml": EMPTY },
  });
});

afterAll(() => shop.stop());

describe("a TCP service whose server speaks first", () => {
  it("greets the identity that a rule allows, and the log names the rule", async () => {
    using conversation = await shop.connect("web", "ledger");
    await conversation.heard(GREETING);
    conversation.say("debit 5");
    await conversation.heard("debit 5");
    conversation[Symbol.dispose]();
    expect(await shop.loggedWith("ledger", { verdict: "allowed" })).toMatchObject({
      direction: "inbound",
      workload: "shop/ledger",
      peer: "spiffe://shop.example/ns/shop/sa/web",
      route: "tunnel",
      policy: "accesspolicy/shop/ledger/web-keeps-books",
      details: "via_upstream",
    });
  });

  it("is not reached by another identity, which reads not one byte of the greeting", async () => {
    const reached = shop.app("ledger").echo!.open;
    using conversation = await shop.connect("batch", "ledger");
    expect(await conversation.closed()).toBe("");
    expect(shop.app("ledger").echo!.open).toBe(reached);
    expect(await shop.loggedWith("ledger", { peer: "spiffe://shop.example/ns/shop/sa/batch" })).toMatchObject({
      verdict: "denied",
      policy: "default-deny/shop/ledger",
    });
  });

  it("tells nothing to a stranger without identity who waits, and refuses by name at the first byte", async () => {
    const { sidecar } = shop.app("ledger");
    const accepted = async (): Promise<number> =>
      (await sidecar.stats(`_${TCP_PORT}\\.no_filter_chain_match$|_${TCP_PORT}\\.downstream_cx_total$`))
        .values()
        .reduce((sum, value) => sum + value, 0);
    const before = await accepted();
    using conversation = await TcpConversation.open(shop.app("ledger").address, TCP_PORT);
    await eventually("the sidecar has given up waiting for a TLS handshake", async () => ((await accepted()) > before ? true : undefined));
    // Whoever comes later is greeted by the same thread, so the stranger would have been by then.
    using later = await shop.connect("web", "ledger");
    await later.heard(GREETING);
    expect(conversation.received).toBe("");
    conversation.say("hello?");
    expect(await conversation.closed()).toBe("");
    expect(shop.app("ledger").echo!.received.items).not.toContain("hello?");
    expect(await shop.loggedWith("ledger", { policy: "mutual-tls//default/strict" })).toMatchObject({ verdict: "denied" });
  });

  it("refuses by the name of a Deny, also in a mesh that is open by default", async () => {
    await shop.edit("mesh.yaml", mesh("Allow"));
    await shop.edit("ledger.yaml", EMPTY);
    await shop.edit("more.yaml", NOT_BATCH);
    using refused = await shop.connect("batch", "ledger");
    expect(await refused.closed()).toBe("");
    expect(await shop.loggedWith("ledger", { policy: "accesspolicy/shop/not-batch/keep-out" })).toMatchObject({ verdict: "denied" });
    using allowed = await shop.connect("web", "ledger");
    await allowed.heard(GREETING);
    // A denial could concern whoever comes without identity, so nobody of them is greeted before having spoken.
    using stranger = await TcpConversation.open(shop.app("ledger").address, TCP_PORT);
    stranger.say("hello");
    await stranger.heard(GREETING);
    expect(stranger.received.startsWith(GREETING)).toBe(true);
  });

  it("greets everybody where nobody is ever refused", async () => {
    await shop.edit("more.yaml", EMPTY);
    using stranger = await TcpConversation.open(shop.app("ledger").address, TCP_PORT);
    await stranger.heard(GREETING);
    using batch = await shop.connect("batch", "ledger");
    await batch.heard(GREETING);
  });

  it("keeps what is open when a rule that allowed it goes, and refuses what comes after", async () => {
    using open = await shop.connect("web", "ledger");
    await open.heard(GREETING);
    await shop.edit("mesh.yaml", mesh("Deny"));
    using refused = await shop.connect("web", "ledger").catch(() => undefined);
    expect((await refused?.closed()) ?? "").toBe("");
    open.say("still here");
    await open.heard("still here");
  });

  it("is reached behind one name with and without a sidecar", async () => {
    await shop.edit("ledger.yaml", LEDGER);
    const legacy = await startTcpEcho({ greeting: GREETING });
    await shop.edit(
      "more.yaml",
      JSON.stringify({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "legacy", namespace: "shop", labels: { app: "ledger" }, annotations: { "seawall.dev/inject": "false" } },
        spec: { containers: [{ name: "app", ports: [{ name: "tcp", containerPort: legacy.port }] }] },
        status: { podIP: legacy.address },
      }),
    );
    // A client that speaks first is served by both; only the one without a sidecar may speak first itself.
    for (let calls = 0; calls < 8; calls++) {
      using conversation = await shop.connect("web", "ledger");
      conversation.say("hello");
      await conversation.heard("hello");
    }
    expect(legacy.received.items.length).toBeGreaterThan(0);
    expect(legacy.received.items.length).toBeLessThan(8);
    expect(
      await shop.loggedWith("ledger", { verdict: "allowed", route: undefined, policy: "accesspolicy/shop/ledger/web-keeps-books" }),
    ).toBeDefined();
  });
});
