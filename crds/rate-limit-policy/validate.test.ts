import { describe, expect, it } from "@jest/globals";
import { checkSchema } from "../core/schema.ts";
import { rateLimitPolicy, type RateLimitPolicySpec } from "./index.ts";

const metadata = { name: "orders", namespace: "shop" };

/** `path reason` of everything that is wrong with a spec; warnings are in brackets. */
function judge(spec: Record<string, unknown>): string[] {
  const whole = { targetRefs: [{ kind: "Service", name: "orders" }], ...spec };
  const found = checkSchema(rateLimitPolicy.schema, whole, "spec");
  const object = { apiVersion: "seawall.dev/v1alpha1", kind: "RateLimitPolicy", metadata, spec: whole as RateLimitPolicySpec };
  return [...found, ...(found.length === 0 ? rateLimitPolicy.validate(object) : [])].map(({ path, reason, severity }) =>
    severity === "warning" ? `[${path} ${reason}]` : `${path} ${reason}`,
  );
}

const limit = { name: "writes", requests: 100, window: "1m" };
const AT = "spec.limits[0]";

describe("a RateLimitPolicy", () => {
  it("is accepted when it says everything", () => {
    const per = [
      { type: "Identity" },
      { type: "Header", name: "x-tenant" },
      { type: "Claim", name: "/a/b", issuer: "https://i" },
      { type: "Address" },
    ];
    const onExceed = { action: "Reject", status: 503 };
    const to = [{ methods: ["POST"], paths: ["/orders/{id}"], hosts: ["orders"], ports: [8080] }];
    expect(judge({ enforcement: "Audit", limits: [{ ...limit, to, per, burst: 20, scope: "Local", onExceed }] })).toEqual([]);
  });

  it.each([
    ["has no limits", { limits: [] }, ["spec.limits Invalid"]],
    ["protects nothing", { targetRefs: undefined, limits: [limit] }, ["spec Required"]],
    ["names two limits the same", { limits: [limit, limit] }, ["spec.limits[1].name Duplicate"]],
  ] as const)("that %s is told so", (_, spec, expected) => {
    expect(judge(spec)).toEqual(expected);
  });

  it.each([
    ["without a number", { requests: undefined }, [`${AT}.requests Required`]],
    ["of nothing", { requests: 0 }, [`${AT}.requests Invalid`]],
    ["of a fraction", { requests: 1.5 }, [`${AT}.requests WrongType`]],
    ["called invalid", { name: "invalid" }, [`${AT}.name Invalid`]],
    ["with an odd name", { name: "A b" }, [`${AT}.name Invalid`]],
    ["with an odd window", { window: "1 minute" }, [`${AT}.window Invalid`]],
    ["with too short a window", { window: "500ms" }, [`${AT}.window Invalid`]],
    ["with too long a window", { window: "48h" }, [`${AT}.window Invalid`]],
    ["with a huge burst", { burst: 10_000 }, [`[${AT}.burst Invalid]`]],
    ["per consumer", { per: [{ type: "Consumer" }] }, [`${AT}.per[0].type NotSupported`]],
    ["per country", { per: [{ type: "Country" }] }, [`${AT}.per[0].type NotSupported`]],
    ["per something misspelled", { per: [{ type: "Adress" }] }, [`${AT}.per[0].type Invalid`]],
    ["across the mesh", { scope: "Global" }, [`${AT}.scope NotSupported`]],
    ["over a calendar month", { calendar: { period: "Month" } }, [`${AT}.calendar NotSupported`]],
    ["that slows down", { onExceed: { action: "Throttle" } }, [`${AT}.onExceed.action NotSupported`]],
    ["with an odd status", { onExceed: { action: "Reject", status: 404 } }, [`${AT}.onExceed.status Invalid`]],
    ["with a status of success", { onExceed: { action: "Reject", status: 200 } }, [`${AT}.onExceed.status Invalid`]],
    ["per header without a name", { per: [{ type: "Header" }, { type: "Address" }] }, [`${AT}.per[0].name Required`]],
    ["per header alone", { per: [{ type: "Header", name: "x-tenant" }] }, [`[${AT}.per Invalid]`]],
    ["per address with a name", { per: [{ type: "Address", name: "x" }] }, [`${AT}.per[0].name Invalid`]],
    ["per claim without an issuer", { per: [{ type: "Claim", name: "sub" }] }, [`${AT}.per[0].issuer Required`]],
    ["per claim with an odd pointer", { per: [{ type: "Claim", name: "/a//b", issuer: "i" }] }, [`${AT}.per[0].name Invalid`]],
    ["per one thing twice", { per: [{ type: "Identity" }, { type: "Identity" }] }, [`${AT}.per[1] Duplicate`]],
    ["of an odd method", { to: [{ methods: ["get"] }] }, [`${AT}.to[0].methods[0] Invalid`]],
    [
      "of requests that overlap in too many ways",
      {
        to: ["a", "b", "c", "d", "e", "f"].map((path) => ({
          methods: [path.toUpperCase()],
          paths: [`/${path}`],
          hosts: [`${path}.example`],
        })),
      },
      [`${AT}.to TooMany`],
    ],
  ] as const)("with a limit %s is told so", (_, more, expected) => {
    expect(judge({ limits: [{ ...limit, ...more }] })).toEqual(expected);
  });
});
