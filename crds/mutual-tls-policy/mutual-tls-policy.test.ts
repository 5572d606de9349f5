import { describe, expect, it } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { expectEnvoyAccepts } from "../../e2e/support/envoy-validation.ts";
import { expectGoldens, goldenOutputs } from "../../e2e/support/golden.ts";
import { envoyJson } from "../../xds-server/envoy/yaml.ts";
import { PolicySchema } from "../../xds-server/gen/envoy/config/rbac/v3/rbac_pb.js";
import type { CalledPort } from "../core/request.ts";
import { checkSchema } from "../core/schema.ts";
import { errorsOf } from "../core/violation.ts";
import { CLOSED_MESH, type DefaultAccess, meshSettings } from "../mesh-config/index.ts";
import { effectiveMutualTls, type MutualTLSPolicy, mutualTLSPolicy, translateMutualTls } from "./index.ts";

function policy(spec: string): MutualTLSPolicy {
  const metadata = { name: "m", namespace: "shop" };
  return { apiVersion: "seawall.dev/v1alpha1", kind: "MutualTLSPolicy", metadata, spec: parse(spec) as MutualTLSPolicy["spec"] };
}

function said(object: MutualTLSPolicy): string[] {
  const found = checkSchema(mutualTLSPolicy.schema, object.spec, "spec");
  const all = errorsOf(found).length > 0 ? found : mutualTLSPolicy.validate(object);
  return all.map(({ severity, path, reason, message }) => `${severity} ${path} ${reason}: ${message}`);
}

describe("what is said about a MutualTLSPolicy", () => {
  it.each<[string, string[]]>([
    ["{targetRefs: [{kind: Namespace}], mode: Strict}", []],
    ["{targetRefs: [{kind: Namespace}]}", ["error spec Required: says nothing: give a `mode`, `minVersion`, `postQuantum` or `ports`"]],
    [
      "{targetRefs: [{kind: Namespace}], mode: Off, minVersion: 1.3}",
      [
        'error spec.mode Invalid: unknown value "Off": must be Strict, Permissive or Disable',
        "error spec.minVersion WrongType: must be 1.2 or 1.3, found the number 1.3",
      ],
    ],
    [
      "{targetRefs: [{kind: Namespace}], minVersion: '1.2', postQuantum: Require, ports: [{port: 1, mode: Strict}, {port: 1, mode: Permissive}, {port: '80', mode: Strict}]}",
      [
        "error spec.ports[1].port Duplicate: ports[0] is about 1 too",
        "error spec.ports[2].port Invalid: write the number without quotes: 80",
        'error spec.minVersion Conflict: post-quantum key exchange exists only in TLS 1.3: write "1.3", or `postQuantum: Prefer`',
      ],
    ],
    [
      "{targetRefs: [{kind: Namespace}], mode: Disable}",
      [
        "warning spec.mode Invalid: traffic of the mesh to these targets is neither encrypted nor has it an identity that a rule could ask for",
      ],
    ],
  ])("%s", (spec, expected) => {
    expect(said(policy(spec))).toEqual(expected);
  });

  it("is nothing about the example", () => {
    const text = readFileSync(join(import.meta.dirname, "examples", "strict-namespace.yaml"), "utf8");
    expect(said(parse(text) as MutualTLSPolicy)).toEqual([]);
  });
});

describe("what a port demands", () => {
  const port: CalledPort = { number: 9090, name: "metrics", protocol: "HTTP" };
  const demand = (spec: string | undefined, access: DefaultAccess = "Deny", settings = CLOSED_MESH): string => {
    const { mode, rule, minVersion, postQuantum } = effectiveMutualTls(
      spec === undefined ? undefined : policy(spec),
      settings,
      access,
      port,
    );
    return `${mode} ${rule} ${minVersion} ${postQuantum}`;
  };

  it("is strict by default where access is denied by default, and permissive elsewhere", () => {
    expect(demand(undefined)).toBe("Strict mutual-tls//default/strict 1.2 Prefer");
    expect(demand(undefined, "Audit")).toBe("Permissive mutual-tls//default/strict 1.2 Prefer");
    expect(demand(undefined, "Allow")).toBe("Permissive mutual-tls//default/strict 1.2 Prefer");
  });

  it("is what the policy says, and more exactly what it says about the port", () => {
    expect(demand("{mode: Permissive}")).toBe("Permissive mutual-tls/shop/m/strict 1.2 Prefer");
    expect(demand("{mode: Strict, ports: [{port: metrics, mode: Permissive}]}")).toBe("Permissive mutual-tls/shop/m/strict 1.2 Prefer");
    expect(demand("{mode: Strict, ports: [{port: metrics, mode: Permissive}, {port: 9090, mode: Disable}]}")).toMatch(/^Disable /);
    expect(demand("{minVersion: '1.3'}")).toBe("Strict mutual-tls//default/strict 1.3 Prefer");
  });

  it("never goes below the floor of the mesh", () => {
    const mesh = meshSettings({ tls: { minVersion: "1.3", postQuantum: "Require" } });
    expect(demand("{minVersion: '1.2', postQuantum: Disable}", "Deny", mesh)).toMatch(/ 1\.3 Require$/);
    expect(demand("{postQuantum: Require}")).toMatch(/ 1\.3 Require$/);
  });
});

interface Input {
  readonly trustDomain: string;
  readonly access: DefaultAccess;
  readonly port: CalledPort;
  readonly policy?: MutualTLSPolicy;
}

const goldens = join(import.meta.dirname, "testdata");
expectGoldens(goldens, (text) => {
  const { trustDomain, access, port, policy: acting } = parse(text) as Input;
  const effective = effectiveMutualTls(acting, meshSettings({ trustDomain }), access, port);
  const rules = translateMutualTls(effective, trustDomain);
  return { effective, rules: rules.map((rule) => ({ ...rule, policy: envoyJson(PolicySchema, rule.policy) })) };
});

it("strictness is accepted by the real Envoy", async () => {
  const outputs = goldenOutputs(goldens) as ReadonlyMap<string, { rules: readonly { name: string; policy: object }[] }>;
  const type = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
  const configs = [...outputs].map(([name, { rules }]) => {
    const policies = Object.fromEntries(rules.map((rule) => [rule.name, rule.policy]));
    return [name, { httpFilters: [{ name: "rbac", typed_config: { "@type": type, rules: { action: "DENY", policies } } }] }] as const;
  });
  await expectEnvoyAccepts(new Map(configs));
});
