import { describe, expect, it } from "@jest/globals";
import { KINDS } from "../../crds/kinds.ts";
import type { AdmissionRequest, Verdict } from "./admission-review.ts";
import type { Known } from "./known.ts";
import { NOTHING_KNOWN, writing } from "./testing/reviews.ts";
import { validateRequest } from "./validate-request.ts";

const POLICY = {
  apiVersion: "seawall.dev/v1alpha1",
  kind: "AccessPolicy",
  metadata: { name: "orders", namespace: "shop" },
  spec: {
    targetRefs: [{ kind: "Service", name: "orders" }],
    action: "Allow",
    rules: [{ name: "web", from: [{ serviceAccounts: ["web"] }], to: [{ methods: ["GET"] }] }],
  },
};

function meshConfig(spec: object): typeof POLICY {
  return { ...POLICY, kind: "MeshConfig", metadata: { name: "mesh" } as typeof POLICY.metadata, spec: spec as typeof POLICY.spec };
}

function judged(request: AdmissionRequest, known: Partial<Known> = {}): Verdict {
  return validateRequest(request, KINDS, { ...NOTHING_KNOWN, ...known });
}

function warningsFor(spec: object, known: Partial<Known> = {}): readonly string[] {
  // As JSON, in which a field that is undefined is not there.
  const policy = JSON.parse(JSON.stringify({ ...POLICY, spec: { ...POLICY.spec, ...spec } })) as typeof POLICY;
  const verdict = judged(writing(policy), {
    sidecars: () => [{ namespace: "shop", labels: { app: "orders" } }],
    ...known,
  });
  expect(verdict.kind).toBe("allowed");
  return verdict.warnings;
}

describe("a policy that is written", () => {
  it("is allowed when it holds", () => {
    expect(warningsFor({})).toEqual([]);
  });

  it("is refused with every mistake at once, where each is and what to do", () => {
    const mistaken = {
      ...POLICY,
      spec: { targetRefs: [{ kind: "Service" }], action: "Allow", rules: [{ name: "Web", to: [{ methods: ["get"] }] }] },
    };
    const verdict = judged(writing(mistaken));
    expect(verdict).toMatchObject({ kind: "refused", reason: "Invalid" });
    const { message } = verdict as { message: string };
    expect(message.split("\n").map((line) => line.split(":")[0])).toEqual([
      "AccessPolicy orders",
      "  - spec.targetRefs[0].name",
      "  - spec.rules[0].name",
      "  - spec.rules[0].to[0].methods[0]",
    ]);
  });

  it("is known by its namespace even where the object does not say it", () => {
    const request = writing({
      ...POLICY,
      spec: { ...POLICY.spec, targetRefs: [{ kind: "Namespace", name: "shop" }] },
    });
    const { name } = POLICY.metadata;
    expect(judged({ ...request, object: { ...(request.object as object), metadata: { name } } }).kind).toBe("allowed");
  });

  it("may have other labels even if its spec would be refused today", () => {
    const old = { ...POLICY, spec: { nonsense: true } };
    expect(judged(writing({ ...old, metadata: { ...old.metadata, name: "orders" } }, old)).kind).toBe("allowed");
    expect(judged(writing({ ...old, spec: { nonsense: false } }, old)).kind).toBe("refused");
  });

  it("of a kind that this version does not know is refused", () => {
    expect(judged(writing({ ...POLICY, kind: "FuturePolicy" }))).toMatchObject({
      kind: "refused",
      message: expect.stringContaining("knows no FuturePolicy"),
    });
  });
});

describe("what is legal and risky", () => {
  it("is told: everybody may do everything", () => {
    expect(warningsFor({ rules: [{ name: "all" }] })).toEqual([expect.stringContaining("allows every request of anyone")]);
  });

  it("is told: a rule that decides nothing", () => {
    const [web] = POLICY.spec.rules;
    const narrower = { ...web, name: "narrower", to: [{ methods: ["GET"] }], when: { headers: [{ name: "x", values: ["1"] }] } };
    expect(warningsFor({ rules: [web, narrower] })).toEqual([
      "spec.rules[1].name: decides nothing: whatever it matches, rule web matches already",
    ]);
  });

  it("is told once of two rules that say the same", () => {
    const [web] = POLICY.spec.rules;
    expect(warningsFor({ rules: [web, { ...web, name: "again" }] })).toEqual([expect.stringContaining("spec.rules[1].name")]);
  });

  it("is told: a Service that is not there", () => {
    expect(warningsFor({}, { hasService: () => false })).toEqual([expect.stringContaining("there is no Service shop/orders (yet)")]);
  });

  it("is told: labels that no pod with a sidecar has", () => {
    const selecting = (app: string): object => ({ targetRefs: undefined, targetSelectors: [{ kind: "Pod", matchLabels: { app } }] });
    expect(warningsFor(selecting("orders"))).toEqual([]);
    expect(warningsFor(selecting("order"))).toEqual([expect.stringContaining("matches no running pod")]);
  });

  it("is told: a token that nobody verifies, even where it would make the policy invalid", () => {
    const asking = { action: "Deny", rules: [{ name: "staff", from: [{ jwt: { issuer: "https://idp" } }] }] };
    expect(warningsFor(asking)).toEqual([expect.stringContaining("no AuthenticationPolicy")]);
    expect(warningsFor(asking, { acceptedIssuers: () => new Set(["https://idp"]) })).toEqual([]);
  });
});

describe("the MeshConfig", () => {
  const running: Partial<Known> = { sidecars: () => [{ namespace: "shop", labels: {} }] };
  const deleting = (spec: object): AdmissionRequest => ({
    ...writing(meshConfig(spec)),
    operation: "DELETE",
    object: undefined,
    oldObject: meshConfig(spec),
  });

  it("keeps its trust domain", () => {
    const before = meshConfig({ trustDomain: "shop.example" });
    expect(judged(writing(meshConfig({ trustDomain: "shop.example", access: { default: "Audit" } }), before)).kind).toBe("allowed");
    expect(judged(writing(meshConfig({ access: { default: "Audit" } }), before))).toMatchObject({
      kind: "refused",
      message: expect.stringContaining("cannot be changed from shop.example"),
    });
  });

  it("stays while sidecars run with identities that would be lost with it", () => {
    expect(judged(deleting({ trustDomain: "shop.example" }), running).kind).toBe("refused");
    expect(judged(deleting({ trustDomain: "shop.example" })).kind).toBe("allowed");
  });

  it("goes with a word about what then holds where no identity is lost", () => {
    expect(judged(deleting({}), running)).toEqual({ kind: "allowed", warnings: [expect.stringContaining("access.default is Deny")] });
  });
});
