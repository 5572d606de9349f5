/** The statuses of routes, which Seawall shares with other controllers, on a real API server. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { gatewayApi } from "../../e2e/conformance/gateway-api.ts";
import { until } from "../../e2e/support/eventually.ts";
import { TestAuthority } from "../../xds-server/delta/testing/test-authority.ts";
import { StatusCluster } from "./testing/status-cluster.ts";
import { TestReplica } from "./testing/test-replica.ts";

let cluster: StatusCluster;
let replica: TestReplica;
beforeAll(async () => {
  cluster = await StatusCluster.start();
  const file = join(gatewayApi().crds, "gateway.networking.k8s.io_httproutes.yaml");
  await cluster.install(parse(readFileSync(file, "utf8")) as { metadata: { name: string } });
  await cluster.namespace("shop");
  replica = await TestReplica.start({ api: cluster.api, authority: new TestAuthority(), name: "one", lease: "routes" });
});
afterAll(async () => {
  await replica.stop();
  await cluster.stop();
});

const ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes";
const mesh = { group: "", kind: "Service", name: "orders", port: 80 };
const gateway = { group: "gateway.networking.k8s.io", kind: "Gateway", name: "edge" };

function spec(parentRefs: readonly object[], backend = "orders"): object {
  return { parentRefs, rules: [{ backendRefs: [{ name: backend, port: 80 }] }] };
}

async function create(name: string, of: object): Promise<void> {
  const object = { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute", metadata: { name }, spec: of };
  await cluster.api.create({ path: ROUTES }, object);
}

interface Parent {
  readonly parentRef: { readonly name: string };
  readonly controllerName: string;
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly observedGeneration: number;
  }[];
}

async function parentsOf(name: string): Promise<readonly Parent[]> {
  const route = (await cluster.api.get({ path: `${ROUTES}/${name}` })) as { readonly status?: { readonly parents?: readonly Parent[] } };
  return route.status?.parents ?? [];
}

/** Each parent's entry in short. */
async function shortly(name: string): Promise<string[]> {
  return (await parentsOf(name)).map(({ parentRef, controllerName, conditions }) => {
    const said = conditions.map(({ type, status, reason, observedGeneration }) => `${type} ${status} ${reason} @${observedGeneration}`);
    return [controllerName, parentRef.name, ...said].join(", ");
  });
}

async function becomes(name: string, entries: readonly string[]): Promise<void> {
  let last: readonly string[] = [];
  const are = async (): Promise<boolean> => JSON.stringify((last = await shortly(name))) === JSON.stringify(entries);
  await until(`the entries of ${name} are ${JSON.stringify(entries)}`, are, { context: () => `they are ${JSON.stringify(last)}` });
}

const edgeEntry = {
  parentRef: gateway,
  controllerName: "example.com/edge",
  conditions: [
    {
      type: "Accepted",
      status: "True",
      reason: "Accepted",
      message: "",
      lastTransitionTime: "2026-01-01T00:00:00Z",
      observedGeneration: 1,
    },
  ],
};
const EDGE = "example.com/edge, edge, Accepted True Accepted @1";

describe("the status of a route", () => {
  it("says of each Service that is its parent whether it applies there, and follows its edits", async () => {
    await create("orders", spec([mesh, { ...mesh, name: "nowhere" }], "nobody"));
    await becomes("orders", [
      "seawall.dev/mesh, orders, Accepted True Accepted @1, ResolvedRefs False BackendNotFound @1",
      "seawall.dev/mesh, nowhere, Accepted False NoMatchingParent @1, ResolvedRefs False BackendNotFound @1",
    ]);
    await cluster.api.patch({ path: `${ROUTES}/orders` }, "application/merge-patch+json", { spec: spec([mesh]) });
    await becomes("orders", ["seawall.dev/mesh, orders, Accepted True Accepted @2, ResolvedRefs True ResolvedRefs @2"]);
  });

  it("leaves the entries of other controllers alone, written before or after its own", async () => {
    await create("shared", spec([gateway, mesh]));
    const own = "seawall.dev/mesh, orders, Accepted True Accepted @1, ResolvedRefs True ResolvedRefs @1";
    await becomes("shared", [own]);
    const parents = [...(await parentsOf("shared")), edgeEntry];
    await cluster.api.patch({ path: `${ROUTES}/shared/status` }, "application/merge-patch+json", { status: { parents } });
    await becomes("shared", [own, EDGE]);
    await cluster.api.patch({ path: `${ROUTES}/shared` }, "application/merge-patch+json", { spec: spec([gateway, mesh], "web") });
    await becomes("shared", [EDGE, "seawall.dev/mesh, orders, Accepted True Accepted @2, ResolvedRefs True ResolvedRefs @2"]);
    await cluster.api.patch({ path: `${ROUTES}/shared` }, "application/merge-patch+json", { spec: spec([gateway]) });
    await becomes("shared", [EDGE]);
  });

  it("is nothing of ours where no Service is a parent", async () => {
    await create("edge-only", spec([gateway]));
    await create("marker", spec([mesh]));
    await becomes("marker", ["seawall.dev/mesh, orders, Accepted True Accepted @1, ResolvedRefs True ResolvedRefs @1"]);
    expect(await parentsOf("edge-only")).toEqual([]);
  });
});
