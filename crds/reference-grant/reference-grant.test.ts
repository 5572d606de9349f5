import { expect, it } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { checkSchema } from "../core/schema.ts";
import type { RouteKind } from "../core/route/services.ts";
import { permitsReference, referenceGrant } from "./index.ts";
import type { ReferenceGrant } from "./schema.ts";

const EXAMPLE = parse(readFileSync(join(import.meta.dirname, "examples", "from-shop.yaml"), "utf8")) as ReferenceGrant;
const withSpec = (spec: Partial<ReferenceGrant["spec"]>): ReferenceGrant => ({ ...EXAMPLE, spec: { ...EXAMPLE.spec, ...spec } });

it("a ReferenceGrant permits the kind and namespace that it names to refer to the service that it names", () => {
  const permits = (grant: ReferenceGrant, kind: RouteKind, namespace: string, service: string): boolean =>
    permitsReference(grant, { kind, namespace }, service);
  expect(permits(EXAMPLE, "HTTPRoute", "shop", "ledger")).toBe(true);
  expect(permits(EXAMPLE, "HTTPRoute", "shop", "vault")).toBe(false);
  expect(permits(EXAMPLE, "GRPCRoute", "shop", "ledger")).toBe(false);
  expect(permits(EXAMPLE, "HTTPRoute", "web", "ledger")).toBe(false);
  const every = withSpec({ to: [{ group: "", kind: "Service" }] });
  expect(permits(every, "HTTPRoute", "shop", "vault")).toBe(true);
  expect(permits(withSpec({ to: [{ group: "", kind: "Secret" }] }), "HTTPRoute", "shop", "ledger")).toBe(false);
  expect(permits(withSpec({ from: [{ group: "", kind: "HTTPRoute", namespace: "shop" }] }), "HTTPRoute", "shop", "ledger")).toBe(false);
});

it("what looks like a slip is a warning, and what is nobody's of Seawall's is left alone", () => {
  const findings = (grant: ReferenceGrant): string[] => {
    const found = checkSchema(referenceGrant.schema, grant.spec, "spec");
    return (found.length > 0 ? found : referenceGrant.validate(grant)).map(
      ({ severity, path, message }) => `${severity} ${path} ${message}`,
    );
  };
  expect(findings(EXAMPLE)).toEqual([]);
  expect(findings(withSpec({ from: [{ group: "gateway.networking.k8s.io", kind: "Gateway", namespace: "a" }] }))).toEqual([]);
  expect(
    findings(withSpec({ from: [{ group: "", kind: "HTTPRoute", namespace: "a" }], to: [{ group: "core", kind: "Service" }] })),
  ).toEqual([
    "warning spec.from[0].group a HTTPRoute is of the group gateway.networking.k8s.io",
    'warning spec.to[0].group a Service is of the core group: write `group: ""`',
  ]);
  expect(findings(withSpec({ to: [] }))).toEqual([expect.stringContaining("error spec.to")]);
});
