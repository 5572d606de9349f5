import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CertificateAuthority } from "../../ca/authority.ts";
import { StateFolder } from "../../ca/state-folder.ts";
import { verdict } from "../../ca/testing/openssl.ts";
import { MESH_ALPN } from "../../xds-server/envoy/tls.ts";
import { HTTP_PORT, PROXY_PORT } from "./testing/application.ts";
import { eventually } from "../support/eventually.ts";
import { servedChain } from "./testing/served-chain.ts";
import { type RunningMesh, startMesh } from "./testing/running-mesh.ts";
import { Http1Client } from "../support/http1-client.ts";

/** Halves of a life, each of which must be enough for a renewal: so many times what this machine took to start the whole mesh. */
const LIVES_PER_START = 8;
const SHORTEST_LIFE_MS = 8_000;
const LONGEST_TEST_MS = 1_800_000;
const APPS = ["web", "orders"] as const;
type App = (typeof APPS)[number];

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
  rules: [{ name: web, from: [{ serviceAccounts: [web] }] }]
`,
};

let shop: RunningMesh<App>;
let lifetimeMs: number;

// Envoy judges certificates by the system's clock, so their life has to be waited for; a slow machine gets longer ones.
beforeAll(async () => {
  const plan = { applications: { web: {}, orders: {} }, files: FILES };
  const begun = Date.now();
  await (await startMesh(plan)).stop();
  lifetimeMs = Math.max(SHORTEST_LIFE_MS, LIVES_PER_START * (Date.now() - begun));
  shop = await startMesh({ ...plan, leafLifetimeMs: lifetimeMs });
}, LONGEST_TEST_MS);

afterAll(() => shop.stop());

interface EnvoyCertificates {
  readonly certificates: readonly {
    readonly cert_chain: readonly { readonly serial_number: string; readonly subject_alt_names: readonly { readonly uri?: string }[] }[];
  }[];
}

/** The leaves that an Envoy holds, by serial number, with the identity in them. */
async function leaves(app: App): Promise<ReadonlyMap<string, string | undefined>> {
  const { certificates } = JSON.parse(await shop.app(app).sidecar.admin("/certs")) as EnvoyCertificates;
  const found = certificates.flatMap(({ cert_chain: [leaf] }) => (leaf === undefined ? [] : [leaf]));
  return new Map(found.map((leaf) => [leaf.serial_number, leaf.subject_alt_names[0]?.uri]));
}

describe("workload certificates", () => {
  it(
    "are replaced at half their life, twice, while nothing is closed and no call fails, and outlived by what is open",
    async () => {
      const first = new Map(await Promise.all(APPS.map(async (app) => [app, await leaves(app)] as const)));
      for (const app of APPS) expect([...first.get(app)!.values()]).toEqual([`spiffe://shop.example/ns/shop/sa/${app}`]);
      const expiry = Math.max(...(await shop.sidecars()).map(({ certificate }) => certificate!.notAfter));
      using stream = await shop.stream("web", "orders");
      using client = new Http1Client({ address: shop.app("web").address, port: PROXY_PORT });
      const call = async (): Promise<void> =>
        expect((await client.request({ method: "GET", path: "/", authority: "orders" })).status).toBe(200);
      await call();
      const closed = async (): Promise<readonly (readonly [string, number])[]> =>
        (
          await Promise.all(
            APPS.map((app) =>
              shop.app(app).sidecar.stats("^http\\.(in|out)bound.*downstream_cx_(destroy|drain_close)$|listener_modified$"),
            ),
          )
        ).flatMap((stats) => [...stats]);
      const before = await closed();
      const seen = new Map(APPS.map((app) => [app, new Set<string>()]));

      await eventually(
        "both Envoys have had three certificates, and the first has expired",
        async () => {
          await call();
          for (const app of APPS) for (const serial of (await leaves(app)).keys()) seen.get(app)!.add(serial);
          return [...seen.values()].every((serials) => serials.size >= 3) && Date.now() > expiry ? true : undefined;
        },
        { timeoutMs: LONGEST_TEST_MS },
      );

      await stream.flows();
      expect(await closed()).toEqual(before);
      // A new connection has the new certificates.
      expect((await shop.callInPlaintext("orders")).status).toBe(403);
      expect((await shop.call("web", "orders")).status).toBe(200);
    },
    LONGEST_TEST_MS,
  );

  it("are good in the eyes of openssl, of both sides as server and as client", async () => {
    const state = StateFolder.open(shop.stateFolder, "read");
    const authority = new CertificateAuthority({ store: state, trustDomain: "shop.example", leafLifetime: lifetimeMs });
    const roots = readFileSync(join(shop.stateFolder, "trust.pem"), "utf8");
    const chains: (readonly [App, at: number, chain: string])[] = [];
    for (const app of APPS) {
      const caller = authority.issue({ trustDomain: "shop.example", namespace: "shop", serviceAccount: "web" });
      const tls = { ca: roots, cert: caller.chainPem, key: caller.key.reveal(), alpn: [MESH_ALPN, "h2"] };
      const at = Date.now();
      chains.push([app, at, await servedChain({ address: shop.app(app).address, port: HTTP_PORT, tls })]);
    }
    // openssl holds this process up, and with it the control plane, whose renewals would be late.
    for (const [app, at, chain] of chains) {
      for (const purpose of ["sslserver", "sslclient"] as const) {
        expect([app, purpose, verdict(chain, roots, purpose, at)]).toEqual([app, purpose, "OK"]);
      }
    }
  });

  it("are exchanged with a post-quantum key agreement on both sides", async () => {
    expect((await shop.call("web", "orders")).status).toBe(200);
    const hybrid = async (app: App): Promise<ReadonlyMap<string, number>> => shop.app(app).sidecar.stats("ssl\\.curves\\.");
    const [caller, called] = [await hybrid("web"), await hybrid("orders")];
    expect([...caller.keys()].map((name) => name.replace(/.*curves\./, ""))).toContain("X25519MLKEM768");
    expect(caller.get("cluster.outbound/shop/orders/80.ssl.curves.X25519MLKEM768")).toBeGreaterThan(0);
    const server = [...called].filter(([name]) => name.startsWith("listener.") && name.includes("_8080."));
    expect(server.map(([name]) => name.replace(/.*curves\./, ""))).toContain("X25519MLKEM768");
  });
});
