import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { AdminServerError } from "./admin-server-error.ts";
import { type AdminRoute, startAdminServer } from "./server.ts";

const routes: readonly AdminRoute[] = [
  { method: "GET", path: "/healthz", loopbackOnly: false, handle: () => ({ status: 200, body: "ok\n" }) },
  { method: "GET", path: "/debug/config/*", loopbackOnly: true, handle: ({ rest }) => ({ status: 200, body: { rest } }) },
  { method: "POST", path: "/debug/explain", loopbackOnly: true, handle: ({ body }) => ({ status: 200, body: { asked: body } }) },
  {
    method: "GET",
    path: "/broken",
    loopbackOnly: false,
    handle: () => {
      throw new Error("a secret detail");
    },
  },
];

describe("the admin port", () => {
  let server: Server;
  let base: string;
  beforeAll(async () => {
    server = await startAdminServer({ host: "127.0.0.1", port: 0 }, routes);
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());

  it("answers text as text and values as JSON", async () => {
    const health = await fetch(`${base}/healthz`);
    expect([health.status, health.headers.get("content-type"), await health.text()]).toEqual([200, "text/plain; charset=utf-8", "ok\n"]);
    const config = await fetch(`${base}/debug/config/shop/we%20b`);
    expect([config.headers.get("content-type"), await config.json()]).toEqual(["application/json", { rest: ["shop", "we b"] }]);
  });

  it("lists what there is when a path does not exist", async () => {
    const answer = await fetch(`${base}/nothing`);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ paths: expect.arrayContaining(["GET /healthz", "POST /debug/explain"]) as unknown });
  });

  it("refuses a method that a path does not offer", async () => {
    expect((await fetch(`${base}/healthz`, { method: "DELETE" })).status).toBe(405);
  });

  it("refuses a body that is no JSON, or too large, and goes on", async () => {
    const post = (body: string): Promise<Response> => fetch(`${base}/debug/explain`, { method: "POST", body });
    expect((await post("{")).status).toBe(400);
    expect((await post(`"${"x".repeat(2 << 20)}"`)).status).toBe(400);
    expect(await (await post('{"a":1}')).json()).toEqual({ asked: { a: 1 } });
  });

  it("keeps the cause of its own failures to itself", async () => {
    const answer = await fetch(`${base}/broken`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain("secret");
  });

  it("names the address and the way out when the port is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    const refused = await startAdminServer({ host: "127.0.0.1", port }, routes).catch((error: unknown) => error);
    other.close();
    expect(refused).toBeInstanceOf(AdminServerError);
    expect(refused).toMatchObject({ code: "AddressInUse", message: expect.stringContaining("--admin-address") as unknown });
  });
});
