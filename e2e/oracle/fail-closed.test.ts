/** What a real Envoy does when the policies of a port are lost on their way to it: the real inbound routes, spoiled. */
import { beforeAll, describe, expect, it } from "@jest/globals";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { encodeResource } from "../../xds-server/delta/encoding.ts";
import type { EncodedResource } from "../../xds-server/delta/feed.ts";
import { TYPE_URL } from "../../xds-server/delta/resource-types.ts";
import { RouteConfigurationSchema } from "../../xds-server/gen/envoy/config/route/v3/route_pb.js";
import { ResourceSchema } from "../../xds-server/gen/envoy/service/discovery/v3/discovery_pb.js";
import { IDENTITIES } from "./cast.ts";
import { PORTS } from "./oracle-mesh.ts";
import { OracleSidecar } from "./oracle-sidecar.ts";
import type { OracleAccess, OracleWorld } from "./world.ts";

let sidecar: OracleSidecar;

beforeAll(async () => {
  sidecar = await OracleSidecar.start();
});

const allow: OracleAccess = {
  kind: "AccessPolicy",
  name: "p0",
  target: "service",
  action: "Allow",
  enforcement: "Enforce",
  rules: [{ name: "everybody-of-the-mesh", from: [{ namespaces: ["shop"] }] }],
};
const deny: OracleAccess = { ...allow, name: "p1", action: "Deny", rules: [{ name: "no-delete", to: [{ methods: ["DELETE"] }] }] };
const world = (...access: readonly OracleAccess[]): OracleWorld => ({
  mesh: { default: "Deny" },
  access,
  mutualTls: [],
  authentication: [],
  broken: [],
});

type PerRoute = Record<string, Any>;

/** Spoils the per-route configuration of every inbound virtual host and route. */
function spoiling(spoil: (perRoute: PerRoute) => PerRoute): (resource: EncodedResource) => EncodedResource {
  return (resource) => {
    if (resource.typeUrl !== TYPE_URL.route || !resource.name.startsWith("inbound/")) return resource;
    const routes = fromBinary(RouteConfigurationSchema, fromBinary(ResourceSchema, resource.entry).resource!.value);
    for (const host of routes.virtualHosts) {
      host.typedPerFilterConfig = spoil(host.typedPerFilterConfig);
      for (const route of host.routes) route.typedPerFilterConfig = spoil(route.typedPerFilterConfig);
    }
    return encodeResource(resource.typeUrl, resource.name, toBinary(RouteConfigurationSchema, routes));
  };
}

/** Status and policy of what a caller that is allowed gets. */
async function answer(of: OracleWorld, rewrite = spoiling((perRoute) => perRoute)): Promise<string> {
  const { mesh } = sidecar;
  // The next world must differ in its routes, or nothing would be sent.
  mesh.become(world());
  await mesh.acknowledged();
  mesh.rewrite = rewrite;
  mesh.become(of);
  await mesh.acknowledged();
  const id = sidecar.nextId();
  const way = { version: 1, identity: IDENTITIES[0], peerAddress: "127.0.0.1", port: PORTS.http } as const;
  const [seen] = await sidecar.ask([
    { id, way, request: { method: "GET", path: "/", authority: "orders", headers: [["x-request-id", id]] } },
  ]);
  return `${seen?.status ?? 0} ${seen?.log?.policy ?? ""}${seen?.reached === true ? ", reached" : ""}`;
}

const without = (name: string) => (perRoute: PerRoute) => Object.fromEntries(Object.entries(perRoute).filter(([key]) => key !== name));

describe("a port whose policies are lost on their way", () => {
  it("is open to whom its policies allow while they are there", async () => {
    expect(await answer(world(allow, deny))).toBe("200 accesspolicy/shop/p0/everybody-of-the-mesh, reached");
  });

  it("refuses as not-configured when its virtual host has no policy configuration", async () => {
    expect(
      await answer(
        world(allow, deny),
        spoiling(() => ({})),
      ),
    ).toBe("403 not-configured");
  });

  it("refuses as not-configured when the key of the last filter names no filter of the chain", async () => {
    const renamed = ({ rbac, ...others }: PerRoute): PerRoute => (rbac === undefined ? others : { ...others, "rbac-of-tomorrow": rbac });
    expect(await answer(world(allow, deny), spoiling(renamed))).toBe("403 not-configured");
  });

  it("refuses by default when the key of the allowing rules names no filter of the chain", async () => {
    const renamed = ({ "rbac-allow": allowing, ...others }: PerRoute): PerRoute =>
      allowing === undefined ? others : { ...others, "rbac-alow": allowing };
    expect(await answer(world(allow, deny), spoiling(renamed))).toBe("403 default-deny/shop/orders");
  });

  it("refuses when the allowing rules are missing", async () => {
    expect(await answer(world(allow), spoiling(without("rbac-allow")))).toBe("403 default-deny/shop/orders");
  });
});
