/** Reports from a replica to the leader, over a real connection. */
import { afterEach, describe, expect, it } from "@jest/globals";
import { Client, type ClientWritableStream, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { until } from "../../e2e/support/eventually.ts";
import { TestServer } from "../../xds-server/delta/testing/test-server.ts";
import { FakeClock } from "../../xds-server/delta/testing/fake-clock.ts";
import { AcknowledgementLedger } from "./acknowledgement-ledger.ts";
import { recordMessage } from "./acknowledgement-messages.ts";
import { AcknowledgementReporter } from "./acknowledgement-reporter.ts";
import { AcknowledgementService, REPORT_PATH } from "./acknowledgement-service.ts";
import { SettledPolicies } from "./settled-policies.ts";

const closing: (() => void | PromiseLike<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const MINUTE = 60_000;

/** Takes tokens that run out after a minute of the clock. */
async function leader(clock = new FakeClock()): Promise<{
  service: AcknowledgementService;
  port: number;
  ledger: AcknowledgementLedger;
  settled: Map<string, SettledPolicies>;
}> {
  const service = new AcknowledgementService(
    {
      authenticateReplica: (token) =>
        token === "own"
          ? Promise.resolve({ replica: "two", expiresAt: clock.now() + MINUTE })
          : Promise.reject(new Error("the token is no replica's")),
    },
    clock,
  );
  const server = await TestServer.start({ services: [service.service] });
  closing.push(() => server[Symbol.asyncDispose]());
  const ledger = new AcknowledgementLedger();
  const settled = new Map<string, SettledPolicies>();
  service.takeReports((replica) => {
    const its = new SettledPolicies();
    settled.set(replica, its);
    return { take: (message) => recordMessage(ledger, its, message), ended: () => void settled.delete(replica) };
  });
  return { service, port: server.target.port, ledger, settled };
}

function reporter(ledger: AcknowledgementLedger, settled = new SettledPolicies()): AcknowledgementReporter {
  const made = new AcknowledgementReporter({
    ledger,
    settled,
    trust: () => undefined,
    serverName: "localhost",
    token: () => Promise.resolve("own\n"),
    random: () => 0,
  });
  closing.push(() => made.close());
  return made;
}

/** Sends these bytes; resolves with the status of the call. */
function send(port: number, bytes: string, token = "own"): Promise<number> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  closing.push(() => client.close());
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return new Promise((resolve) => {
    const call: ClientWritableStream<string> = client.makeClientStreamRequest(
      REPORT_PATH,
      (message: string) => Buffer.from(message),
      () => undefined,
      metadata,
      (error: ServiceError | null) => resolve(error?.code ?? status.OK),
    );
    call.on("error", () => undefined);
    call.write(bytes);
  });
}

describe("a replica's reports", () => {
  it("begin with all that its sidecars run, and go on with what changes", async () => {
    const { port, ledger } = await leader();
    const own = new AcknowledgementLedger();
    for (let pod = 0; pod < 12_000; pod++) own.record("AccessPolicy/shop/reads", `pod-${pod}`, "1 web");
    own.recordRejection("pod-x", "no such filter");
    reporter(own).reportTo({ host: "127.0.0.1", port });
    await until("the leader knows all of them", () => [...ledger.acknowledgements()].length === 12_000);
    expect(ledger.rejectionOf("pod-x")).toBe("no such filter");
    own.record("AccessPolicy/shop/reads", "pod-7", undefined);
    own.record("AccessPolicy/shop/reads", "pod-8", "2 web");
    await until("the leader is told of pod-8", () => ledger.stateOf("AccessPolicy/shop/reads", "pod-8") === "2 web");
    expect(ledger.stateOf("AccessPolicy/shop/reads", "pod-7")).toBeUndefined();
    own.record("AccessPolicy/shop/reads", "pod-x", "2 web");
    await until("the rejection is taken back", () => ledger.rejectionOf("pod-x") === undefined);
  });

  it("say what is settled, after what its sidecars run, until they end", async () => {
    const { service, port, ledger, settled } = await leader();
    const own = new AcknowledgementLedger();
    const ownSettled = new SettledPolicies();
    for (let policy = 0; policy < 12_000; policy++) ownSettled.record(`AccessPolicy/shop/p${policy}`, "1");
    for (let pod = 0; pod < 12_000; pod++) own.record("AccessPolicy/shop/p0", `pod-${pod}`, "1 web");
    reporter(own, ownSettled).reportTo({ host: "127.0.0.1", port });
    await until("the leader is told of p0", () => settled.get("two")?.revisionOf("AccessPolicy/shop/p0") === "1");
    expect([...ledger.acknowledgements()]).toHaveLength(12_000);
    await until("the leader knows all of them", () => [...(settled.get("two")?.policies() ?? [])].length === 12_000);
    ownSettled.record("AccessPolicy/shop/p0", "2");
    await until("the leader is told of p0 anew", () => settled.get("two")?.revisionOf("AccessPolicy/shop/p0") === "2");
    service.takeReports(undefined);
    expect(settled.size).toBe(0);
  });

  it("say nothing of a sidecar that has gone elsewhere", async () => {
    const { port, ledger } = await leader();
    ledger.record("AccessPolicy/shop/reads", "gone", "2 web");
    const own = new AcknowledgementLedger();
    own.record("AccessPolicy/shop/reads", "gone", "1 web");
    own.record("AccessPolicy/shop/reads", "here", "1 web");
    reporter(own).reportTo({ host: "127.0.0.1", port });
    own.forgetPod("gone");
    await until("the leader is told of here", () => ledger.stateOf("AccessPolicy/shop/reads", "here") === "1 web");
    expect(ledger.stateOf("AccessPolicy/shop/reads", "gone")).toBe("2 web");
  });

  it("begin anew with whoever leads next, and with the same one when its token has run out", async () => {
    const own = new AcknowledgementLedger();
    own.record("AccessPolicy/shop/reads", "pod", "1 web");
    const clock = new FakeClock();
    const first = await leader(clock);
    const reports = reporter(own);
    reports.reportTo({ host: "127.0.0.1", port: first.port });
    await until("the leader is told of pod", () => first.ledger.stateOf("AccessPolicy/shop/reads", "pod") !== undefined);
    first.ledger.record("AccessPolicy/shop/reads", "pod", undefined);
    clock.advance(MINUTE - 1);
    expect(clock.pending).toBe(1);
    clock.advance(1);
    await until("the leader is told of pod", () => first.ledger.stateOf("AccessPolicy/shop/reads", "pod") !== undefined);
    first.service.takeReports(undefined);
    const second = await leader();
    reports.reportTo({ host: "127.0.0.1", port: second.port });
    await until("the leader is told of pod", () => second.ledger.stateOf("AccessPolicy/shop/reads", "pod") !== undefined);
  });

  it("are taken from nobody else, in no other shape, and by no replica that does not lead", async () => {
    const { service, port, ledger } = await leader();
    const message = (acknowledged: unknown): string => JSON.stringify({ acknowledged, rejections: {}, settled: {} });
    const forged = message([{ policy: "AccessPolicy/shop/reads", state: "1 web", pods: ["pod"] }]);
    expect(await send(port, forged, "guessed")).toBe(status.UNAUTHENTICATED);
    for (const mistake of [
      "{",
      "[]",
      message([{ policy: 1, pods: [] }]),
      message([{ policy: "a", state: 5, pods: [] }]),
      message([{ policy: "a", pods: [1] }]),
      JSON.stringify({ acknowledged: [], rejections: {}, settled: { "AccessPolicy/shop/reads": 1 } }),
    ]) {
      expect(await send(port, mistake)).toBe(status.INVALID_ARGUMENT);
    }
    service.takeReports(undefined);
    expect(await send(port, forged)).toBe(status.FAILED_PRECONDITION);
    expect([...ledger.acknowledgements()]).toEqual([]);
  });
});
