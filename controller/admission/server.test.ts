import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { Agent, request } from "node:https";
import { TLSSocket } from "node:tls";
import type { CertificateAuthority } from "../../ca/authority.ts";
import type { AdmissionRequest, Verdict } from "./admission-review.ts";
import { type AdmissionServer, startAdmissionServer } from "./server.ts";
import { newAuthority, webhookCertificate } from "./testing/certificates.ts";

let authority: CertificateAuthority;
let server: AdmissionServer;
let log: string[];
let decide: (request: AdmissionRequest) => Verdict;

beforeEach(async () => {
  authority = newAuthority();
  log = [];
  decide = () => ({ kind: "allowed", warnings: [] });
  server = await startAdmissionServer({
    host: "127.0.0.1",
    port: 0,
    certificate: webhookCertificate(authority),
    webhooks: { "/validate": (asked) => decide(asked) },
    log: (line) => log.push(line),
  });
});
afterEach(() => server.close());

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly serial: string;
  /** Whether the connection may be used again. */
  readonly kept: boolean;
}

interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly type?: string;
  readonly body?: string;
  readonly trust?: string;
  readonly agent?: Agent;
}

function ask({ path = "/validate", method = "POST", type = "application/json", body = "", trust, agent }: Asked = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: server.port, servername: "localhost", path, method, ca: trust ?? authority.trust.pem };
    const sent = request({ ...options, agent: agent ?? false, headers: { "content-type": type } }, (response) => {
      if (!(response.socket instanceof TLSSocket)) throw new Error("no TLS");
      const { serialNumber } = response.socket.getPeerCertificate();
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text, serial: serialNumber, kept: response.headers.connection !== "close" }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const REVIEW = JSON.stringify({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: {
    uid: "u-1",
    kind: { group: "seawall.dev", version: "v1alpha1", kind: "AccessPolicy" },
    operation: "CREATE",
    namespace: "shop",
    object: { metadata: { name: "a" } },
    oldObject: null,
  },
});

function responseOf(reply: Reply): unknown {
  expect(reply.status).toBe(200);
  return (JSON.parse(reply.text) as { response: unknown }).response;
}

describe("the webhooks' server", () => {
  it("answers whoever is still led to it when it ends, and sends them to another", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect(await ask({ body: REVIEW, agent })).toMatchObject({ status: 200, kept: true });
    let part = (): void => undefined;
    const closed = server.close(new Promise<void>((resolve) => (part = resolve)));
    expect(await ask({ body: REVIEW, agent })).toMatchObject({ status: 200, kept: false });
    expect(await ask({ body: REVIEW })).toMatchObject({ status: 200 });
    part();
    await closed;
    await expect(ask({ body: REVIEW })).rejects.toThrow("ECONNREFUSED");
    agent.destroy();
  });

  it("answers a review in the API server's words", async () => {
    decide = (asked) => {
      expect(asked).toMatchObject({ uid: "u-1", operation: "CREATE", namespace: "shop", oldObject: undefined });
      return { kind: "allowed", warnings: ["mind the gap"], patch: [{ op: "add", path: "/x", value: 1 }] };
    };
    const response = responseOf(await ask({ body: REVIEW }));
    expect(response).toMatchObject({ uid: "u-1", allowed: true, warnings: ["mind the gap"], patchType: "JSONPatch" });
    const { patch } = response as { patch: string };
    expect(JSON.parse(Buffer.from(patch, "base64").toString())).toEqual([{ op: "add", path: "/x", value: 1 }]);
  });

  it("refuses with everything that is wrong", async () => {
    decide = () => ({ kind: "refused", reason: "Invalid", message: "spec: no", warnings: ["and mind the gap"] });
    expect(responseOf(await ask({ body: REVIEW }))).toEqual({
      uid: "u-1",
      allowed: false,
      warnings: ["and mind the gap"],
      status: { status: "Failure", code: 422, reason: "Invalid", message: "spec: no" },
    });
  });

  it("refuses what it failed to judge, and tells the log alone why", async () => {
    decide = () => {
      throw new Error("the secret of the stack");
    };
    const reply = await ask({ body: REVIEW });
    expect(responseOf(reply)).toMatchObject({ allowed: false, status: { code: 403 } });
    expect(reply.text).not.toMatch(/secret|at .*\.ts/);
    expect(log.join()).toContain("the secret of the stack");
  });

  it.each([
    ["another path", { path: "/elsewhere", body: REVIEW }, 404],
    ["a name that every object has", { path: "/constructor", body: REVIEW }, 404],
    ["another method", { method: "GET" }, 405],
    ["another type", { type: "text/yaml", body: REVIEW }, 415],
    ["what is no JSON", { body: "{" }, 400],
    ["what is no review", { body: "{}" }, 400],
    ["a review of another version", { body: REVIEW.replace("/v1", "/v1beta1") }, 400],
    ["too large a body", { body: " ".repeat((8 << 20) + 1) }, 413],
  ])("takes no %s", async (_what, asked, status) => {
    const reply = await ask(asked);
    expect(reply.status).toBe(status);
    expect(JSON.parse(reply.text)).toEqual({ error: expect.any(String) });
  });

  it("takes a new certificate without a restart", async () => {
    const before = await ask({ body: REVIEW });
    server.replaceCertificate(webhookCertificate(authority));
    const after = await ask({ body: REVIEW });
    expect(after.status).toBe(200);
    expect(after.serial).not.toBe(before.serial);
  });

  it("is no webhook to somebody who trusts another root", async () => {
    await expect(ask({ body: REVIEW, trust: newAuthority().trust.pem })).rejects.toThrow();
  });

  it("says what is wrong with its address", async () => {
    const again = startAdmissionServer({
      host: "127.0.0.1",
      port: server.port,
      certificate: webhookCertificate(authority),
      webhooks: {},
      log: () => undefined,
    });
    await expect(again).rejects.toMatchObject({ code: "AddressInUse" });
  });
});
