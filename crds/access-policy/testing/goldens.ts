/** Goldens of access policies: the policy and the ports in, the violations and the RBAC rules of each port out. */
import { describe, expect, it } from "@jest/globals";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { type EnvoyConfig, expectEnvoyAccepts } from "../../../e2e/support/envoy-validation.ts";
import { expectGoldens, goldenOutputs } from "../../../e2e/support/golden.ts";
import { envoyJson } from "../../../xds-server/envoy/yaml.ts";
import { PolicySchema } from "../../../xds-server/gen/envoy/config/rbac/v3/rbac_pb.js";
import type { Kind } from "../../core/kind.ts";
import type { CalledPort } from "../../core/request.ts";
import { checkSchema } from "../../core/schema.ts";
import { errorsOf, type Violation } from "../../core/violation.ts";
import { type AnyAccessPolicy, translateAccess } from "../index.ts";

interface Input {
  readonly trustDomain: string;
  readonly ports: readonly CalledPort[];
  readonly policy: AnyAccessPolicy;
}

interface Rule {
  readonly name: string;
  readonly slots: readonly string[];
  readonly policy: object;
}

interface Output {
  readonly warnings: readonly string[];
  readonly ports: readonly {
    readonly port: number;
    readonly rules: readonly Rule[];
    readonly never: readonly string[];
    readonly widened: readonly string[];
  }[];
}

/** What `seawall validate` says about an object. */
export function violationsOf(kind: Kind, object: AnyAccessPolicy): Violation[] {
  const found = checkSchema(kind.schema, object.spec, "spec");
  return errorsOf(found).length > 0 ? found : [...found, ...kind.validate(object)];
}

function output(kind: Kind, { policy, ports, trustDomain }: Input): Output {
  const found = violationsOf(kind, policy);
  expect(errorsOf(found)).toEqual([]);
  return {
    warnings: found.map(({ path, message }) => `${path}: ${message}`),
    ports: ports.map((port) => {
      const { rules, never, widened } = translateAccess(policy, { trustDomain, port });
      return {
        port: port.number,
        rules: [...Map.groupBy(rules, (rule) => rule.policy)].map(([policy, same]) => ({
          name: same[0]?.name ?? "",
          slots: same.map((rule) => rule.slot),
          policy: envoyJson(PolicySchema, policy),
        })),
        never,
        widened,
      };
    }),
  };
}

/** Declares the tests of the goldens and examples of a kind that has the rules of access policies. */
export function accessGoldens(kind: Kind, folder: string): void {
  expectGoldens(join(folder, "testdata"), (text) => output(kind, parse(text) as Input));

  describe(`what a ${kind.kind} becomes`, () => {
    it("is accepted by the real Envoy", async () => {
      const outputs = [...(goldenOutputs(join(folder, "testdata")) as ReadonlyMap<string, Output>), ...examples(kind, folder)];
      const configs = outputs.flatMap(([name, { ports }]) =>
        ports.map(({ port, rules }) => [`${name}:${port}`, rbacFilters(rules)] as const),
      );
      await expectEnvoyAccepts(new Map(configs));
    });

    it("comes without warnings from every example", () => {
      const found = examples(kind, folder);
      expect(found).not.toEqual([]);
      for (const [name, { warnings }] of found) expect([name, warnings]).toEqual([name, []]);
    });
  });
}

function examples(kind: Kind, folder: string): readonly (readonly [string, Output])[] {
  const port: CalledPort = { number: 8080, name: "http-metrics", protocol: "HTTP" };
  return readdirSync(join(folder, "examples")).map((file) => {
    const policy = parse(readFileSync(join(folder, "examples", file), "utf8")) as AnyAccessPolicy;
    return [`examples/${file}`, output(kind, { trustDomain: "cluster.local", ports: [port], policy })] as const;
  });
}

function rbacFilters(rules: readonly Rule[]): EnvoyConfig {
  return {
    httpFilters: rules.map((rule, index) => ({
      name: `rbac-${index}`,
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        rules: { action: rule.slots.some((slot) => slot.endsWith("deny")) ? "DENY" : "ALLOW", policies: { [rule.name]: rule.policy } },
      },
    })),
  };
}
