import { expect, it } from "@jest/globals";
import { checkSchema } from "../core/schema.ts";
import { tlsRoute } from "./index.ts";

function findings(...hostnames: string[]): string[] {
  const route = {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "TLSRoute",
    metadata: { name: "search", namespace: "shop" },
    spec: {
      parentRefs: [{ group: "", kind: "Service", name: "search" }],
      hostnames,
      rules: [{ backendRefs: [{ name: "search", port: 9243 }] }],
    },
  };
  const found = checkSchema(tlsRoute.schema, route.spec, "spec");
  return (found.length > 0 ? found : tlsRoute.validate(route)).map(
    ({ severity, path, reason, message }) => `${severity} ${path} ${reason} ${message}`,
  );
}

it("a TLSRoute has the names that a TLS caller can ask for, with a wildcard only as the first label", () => {
  expect(findings("a.example", "*.a.example")).toEqual([]);
  expect(findings("a.*.example")).toEqual([expect.stringContaining("error spec.hostnames[0] Invalid")]);
  expect(findings("A.example")).toEqual([expect.stringContaining("error spec.hostnames[0] Invalid")]);
  expect(findings("192.0.2.1", "a.example", "a.example")).toEqual([
    "error spec.hostnames[0] Invalid a TLS server name is no address",
    "warning spec.hostnames[2] Duplicate stands here already",
  ]);
});
