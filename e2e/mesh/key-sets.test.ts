import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { ownAddress } from "../support/addresses.ts";
import { type CallAnswer, type RunningMesh, startMesh } from "./testing/running-mesh.ts";
import { type TokenIssuer, tokenIssuer } from "./testing/token-issuer.ts";

const PORT = 8090;
const address = ownAddress();

const files = (issuer: TokenIssuer): Record<string, string> => ({
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
  rules: [{ name: web, from: [{ serviceAccounts: [web] }] }]
---
apiVersion: seawall.dev/v1alpha1
kind: AuthenticationPolicy
metadata: { name: orders, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: orders }]
  accept: [{ jwt: { issuer: "${issuer.issuer}", audiences: [shop], jwks: { uri: "http://${address}:${PORT}/jwks" } } }]
`,
});

let issuer: TokenIssuer;
let shop: RunningMesh<"web" | "orders">;
let published = '{"keys":[]}';
let server: Server | undefined;

beforeAll(async () => {
  issuer = await tokenIssuer("https://idp.shop.example");
  shop = await startMesh({ applications: { web: {}, orders: {} }, files: files(issuer) });
});

afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await shop.stop();
});

async function call(): Promise<CallAnswer> {
  return shop.call("web", "orders", { headers: [["authorization", `Bearer ${await issuer.sign("ann")}`]] });
}

async function expectRefusedByName(): Promise<void> {
  const answer = await call();
  expect(answer.status).toBe(401);
  expect(await shop.logged("orders", answer)).toMatchObject({
    verdict: "denied",
    policy: expect.stringMatching("^authenticationpolicy/shop/orders"),
  });
}

describe("an issuer's key set", () => {
  it("that cannot be fetched is a 401 with the policy's name, not an open door and not a broken sidecar", async () => {
    await expectRefusedByName();
    expect(await shop.metric("seawall_xds_nacks_total")).toBe(0);
  });

  it("that is empty is no better", async () => {
    const asked = Promise.withResolvers<boolean>();
    server = createServer((_request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(published);
      asked.resolve(true);
    }).listen(PORT, address);
    await once(server, "listening");
    await asked.promise;
    await expectRefusedByName();
    expect(await shop.metric("seawall_xds_nacks_total")).toBe(0);
  });

  it("is used as soon as it is good", async () => {
    published = issuer.jwks;
    await shop.becomes(200, call);
    const answer = await shop.call("web", "orders");
    expect(answer.status).toBe(401);
  });
});
