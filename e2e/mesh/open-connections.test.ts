import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { headerOf } from "../support/http-client.ts";
import { Http1Client } from "../support/http1-client.ts";
import { PROXY_PORT } from "./testing/application.ts";
import { type RunningMesh, startMesh } from "./testing/running-mesh.ts";
import { type TokenIssuer, tokenIssuer } from "./testing/token-issuer.ts";

const EDITS = 200;

interface Step {
  readonly file: string;
  readonly text: string;
  /** What a new request gets from then on. */
  readonly status: number;
  /** A header of the answer that shows the edit. */
  readonly header?: string;
}

const policy = (kind: string, name: string, spec: string): string =>
  `apiVersion: seawall.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: shop }\nspec: ${spec}\n`;
const target = "targetRefs: [{ kind: Service, name: orders }]";

const NOTHING = "# nothing";
const meshConfig = (access: string): string =>
  `apiVersion: seawall.dev/v1alpha1\nkind: MeshConfig\nmetadata: { name: mesh }\nspec: { trustDomain: shop.example, access: { default: ${access} } }\n`;
const mutualTls = (mode: string): string => policy("MutualTLSPolicy", "orders", `{ ${target}, mode: ${mode} }`);
/** The TCP port stays open to the shop: a service that nobody may see any longer takes its loopback port with it. */
const access = (web: string): string =>
  policy(
    "AccessPolicy",
    "orders",
    `{ ${target}, action: Allow, rules: [{ name: bytes, from: [{ namespaces: [shop] }], to: [{ ports: [9000] }] }, ${web}] }`,
  );
const READS = "{ name: reads, from: [{ serviceAccounts: [web] }], to: [{ methods: [GET] }] }";
const WRITES = "{ name: writes, from: [{ serviceAccounts: [web] }], to: [{ methods: [POST] }] }";
const DENY = policy(
  "AccessPolicy",
  "stop",
  `{ ${target}, action: Deny, rules: [{ name: reads, to: [{ methods: [GET], ports: [8080] }] }] }`,
);
const LIMIT = policy("RateLimitPolicy", "orders", `{ ${target}, limits: [{ name: many, requests: 100000, window: 1h }] }`);
const authentication = (issuer: TokenIssuer): string =>
  policy(
    "AuthenticationPolicy",
    "orders",
    `{ ${target}, accept: [{ jwt: { issuer: "${issuer.issuer}", jwks: { inline: '${issuer.jwks}' } } }] }`,
  );

/** One round of edits, at whose end everything is as it was. */
function round(issuer: TokenIssuer): readonly Step[] {
  return [
    { file: "access.yaml", text: access(WRITES), status: 403 },
    { file: "access.yaml", text: access(READS), status: 200 },
    { file: "deny.yaml", text: DENY, status: 403 },
    { file: "deny.yaml", text: NOTHING, status: 200 },
    { file: "authentication.yaml", text: authentication(issuer), status: 401 },
    { file: "authentication.yaml", text: NOTHING, status: 200 },
    { file: "limits.yaml", text: LIMIT, status: 200, header: "x-ratelimit-limit" },
    { file: "mutual-tls.yaml", text: mutualTls("Permissive"), status: 200 },
    { file: "limits.yaml", text: NOTHING, status: 200 },
    { file: "mutual-tls.yaml", text: mutualTls("Strict"), status: 200 },
    { file: "mesh.yaml", text: meshConfig("Allow"), status: 200 },
    { file: "access.yaml", text: access(WRITES), status: 403 },
    { file: "mesh.yaml", text: meshConfig("Audit"), status: 200 },
    { file: "mesh.yaml", text: meshConfig("Deny"), status: 403 },
    { file: "access.yaml", text: access(READS), status: 200 },
    { file: "mutual-tls.yaml", text: NOTHING, status: 200 },
  ];
}

let issuer: TokenIssuer;
let shop: RunningMesh<"web" | "orders">;

beforeAll(async () => {
  issuer = await tokenIssuer("https://idp.shop.example");
  shop = await startMesh({
    applications: { web: {}, orders: { tcp: {} } },
    files: {
      ...{ "mesh.yaml": meshConfig("Deny"), "access.yaml": access(READS), "mutual-tls.yaml": NOTHING },
      ...{ "deny.yaml": NOTHING, "authentication.yaml": NOTHING, "limits.yaml": NOTHING },
    },
  });
});

afterAll(() => shop.stop());

/** Listeners created, changed and removed; connections closed and drained, from and to both directions. */
const WATCHED =
  "^listener_manager\\.(listener_(added|create_success|modified|removed|in_place_updated|stopped)|total_listeners_draining|total_filter_chains_draining)$|downstream_cx_(destroy|drain_close|destroy_local|destroy_remote)$|^cluster\\.(in|out)bound.*upstream_cx_(destroy|idle_timeout)$";

async function watched(): Promise<Record<string, number>> {
  const stats = await Promise.all(
    (["web", "orders"] as const).map(async (name) => {
      const found = await shop.app(name).sidecar.stats(WATCHED);
      // A sidecar lets go of connections to its application that have had nothing to do for a moment, whoever edits what.
      const idle = (stat: string): number => found.get(stat.replace(/upstream_cx_destroy$/, "upstream_cx_idle_timeout")) ?? 0;
      return [...found]
        .filter(([stat]) => !stat.includes("admin") && !stat.endsWith("idle_timeout"))
        .map(([stat, value]) => [`${name} ${stat}`, stat.endsWith("upstream_cx_destroy") ? value - idle(stat) : value] as const);
    }),
  );
  return Object.fromEntries(stats.flat());
}

describe("an edit of a policy", () => {
  it(`closes no connection and changes no listener, ${EDITS} times`, async () => {
    using stream = await shop.stream("web", "orders");
    using bytes = await shop.connect("web", "orders");
    bytes.say("hello\n");
    await bytes.heard("hello\n");
    // One connection for all requests, so that whatever else is closed is seen.
    using client = new Http1Client({ address: shop.app("web").address, port: PROXY_PORT });
    const ask = (): ReturnType<Http1Client["request"]> => client.request({ method: "GET", path: "/", authority: "orders" });
    expect((await ask()).status).toBe(200);

    const before = await watched();
    const steps = round(issuer);
    for (let edit = 0; edit < EDITS; edit++) {
      const step = steps[edit % steps.length]!;
      await shop.edit(step.file, step.text);
      const answer = await ask();
      const seen = {
        edit,
        file: step.file,
        status: answer.status,
        ...(step.header === undefined ? {} : { [step.header]: headerOf(answer, step.header) !== undefined }),
      };
      expect(seen).toEqual({ edit, file: step.file, status: step.status, ...(step.header === undefined ? {} : { [step.header]: true }) });
      await stream.flows();
      bytes.say(`edit ${edit}\n`);
      await bytes.heard(`edit ${edit}\n`);
    }

    expect(await watched()).toEqual(before);
    expect(before).toMatchObject({ "web listener_manager.listener_modified": 0, "orders listener_manager.listener_modified": 0 });
    expect(Object.keys(before).filter((stat) => stat.endsWith("downstream_cx_drain_close")).length).toBeGreaterThan(1);
    expect([stream.isOpen, bytes.isOpen]).toEqual([true, true]);
    expect(await shop.metric("seawall_xds_nacks_total")).toBe(0);
  }, 1_800_000);

  it("is seen when it does change a listener: the TLS version is a named exception", async () => {
    const before = await watched();
    await shop.edit("mutual-tls.yaml", policy("MutualTLSPolicy", "orders", `{ ${target}, mode: Strict, minVersion: "1.3" }`));
    const after = await watched();
    const changed = Object.keys(after).filter((stat) => after[stat] !== before[stat]);
    expect(changed).toContain("orders listener_manager.listener_modified");
    expect(changed.filter((stat) => stat.startsWith("web listener_manager"))).toEqual([]);
    expect((await shop.call("web", "orders")).status).toBe(200);
  });
});
