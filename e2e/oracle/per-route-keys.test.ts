import { describe, expect, it } from "@jest/globals";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { contributionsOf } from "../../controller/mesh/contributions.ts";
import { httpAccess } from "../../controller/mesh/rbac.ts";
import { currentSettings } from "../../controller/mesh/settings.ts";
import { SEAWALL_API_VERSION } from "../../crds/core/object.ts";
import { type RateLimitPolicy, translate } from "../../crds/rate-limit-policy/index.ts";
import { inboundHttpLog } from "../../xds-server/envoy/access-log.ts";
import { inboundHttpConnectionManager } from "../../xds-server/envoy/http-connection.ts";
import { EARLY_LIMIT_SLOTS, HTTP_FILTER_ORDER, LIMIT_SLOTS } from "../../xds-server/envoy/http-filter-order.ts";
import { HttpConnectionManagerSchema } from "../../xds-server/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { OracleMesh } from "./oracle-mesh.ts";
import { TokenMint } from "./token-presentation.ts";
import { world as worlds } from "./world-arbitrary.ts";

const SEED = 20261121;

describe("the filter chain of an inbound port", () => {
  it("has every filter, by its name and in its place", () => {
    const manager = anyUnpack(
      inboundHttpConnectionManager({ routeConfigName: "inbound/8080", accessLog: inboundHttpLog("shop/orders"), limitHeadersLua: "" }),
      HttpConnectionManagerSchema,
    );
    expect(manager?.httpFilters.map(({ name }) => name)).toEqual(HTTP_FILTER_ORDER);
    // All but the last check and the router are off until a route says otherwise.
    expect(manager?.httpFilters.filter(({ disabled }) => !disabled).map(({ name }) => name)).toEqual(["rbac", "router"]);
  });

  it("has a filter for every key that a kind contributes, in whatever world", async () => {
    const mesh = new OracleMesh(await TokenMint.open(), "127.0.0.1", 1);
    const keys = new Set<string>(limitKeys());
    for (const world of fc.sample(worlds, { seed: SEED, numRuns: 100 })) {
      mesh.become(world);
      const settings = currentSettings(mesh.mesh.settings);
      for (const [, { workload, ports }] of mesh.mesh.workloadPolicies.entries()) {
        for (const port of ports) {
          const { access, contributions } = contributionsOf(workload, port, settings, () => undefined);
          const carriers = contributions.flatMap(({ perRoute = {}, variants = [] }) => [perRoute, ...variants.map((one) => one.perRoute)]);
          for (const perRoute of [httpAccess(access), ...carriers]) for (const key of Object.keys(perRoute)) keys.add(key);
          // Without it the port would be closed as not-configured.
          expect(Object.keys(httpAccess(access))).toContain("rbac");
        }
      }
    }
    expect([...keys].filter((key) => !(HTTP_FILTER_ORDER as readonly string[]).includes(key))).toEqual([]);
    // Headers are stripped by the assembler, and the router needs no configuration.
    expect(HTTP_FILTER_ORDER.filter((name) => !keys.has(name))).toEqual(["strip-headers", "router"]);
  });
});

/** The keys of as many limits as there are slots for. */
function limitKeys(): string[] {
  const limit = (index: number, type: "Identity" | "Address"): RateLimitPolicy["spec"]["limits"][number] => ({
    name: `${type.toLowerCase()}-${index}`,
    per: [{ type }],
    requests: 10,
    window: "1m",
  });
  const limits = [
    ...LIMIT_SLOTS.map((_, index) => limit(index, "Identity")),
    ...EARLY_LIMIT_SLOTS.map((_, index) => limit(index, "Address")),
  ];
  const policy: RateLimitPolicy = {
    apiVersion: SEAWALL_API_VERSION,
    kind: "RateLimitPolicy",
    metadata: { name: "limits", namespace: "shop" },
    spec: { targetRefs: [{ kind: "Namespace" }], limits },
  };
  return Object.keys(translate([policy], { number: 8080, protocol: "HTTP" }).contribution.perRoute ?? {});
}
