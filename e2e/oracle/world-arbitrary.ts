/** Worlds of the oracle: policies of every kind that decides on a request, together. */
import fc from "fast-check";
import { CLAIMS, HEADERS, ISSUERS, NAMESPACE, PORTS } from "./cast.ts";
import { type OraclePolicy, policySet, to } from "./policy-arbitrary.ts";
import {
  DEFAULTS,
  KEY_PLACES,
  MISTAKE_NAMES,
  MODES,
  type OracleAuthentication,
  type OracleIssuer,
  type OracleMeshConfig,
  type OracleMutualTls,
  type OracleWorld,
  type Target,
  TARGETS,
  TOKEN_SOURCES,
} from "./world.ts";

/** Most policies are about the called workload: were they not, there would be nothing to hold Envoy to. */
const target: fc.Arbitrary<Target> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<Target>("namespace", "service", "pods") },
  { weight: 1, arbitrary: fc.constantFrom(...TARGETS) },
);

const defaultAccess = fc.constantFrom(...DEFAULTS);

const mesh: fc.Arbitrary<OracleMeshConfig> = fc.oneof(
  { weight: 3, arbitrary: fc.constant("none" as const) },
  { weight: 8, arbitrary: fc.record({ default: defaultAccess }) },
  {
    weight: 4,
    arbitrary: fc.record(
      {
        default: defaultAccess,
        namespaces: fc.uniqueArray(fc.record({ name: fc.constantFrom(NAMESPACE, "bank"), default: defaultAccess }), {
          minLength: 1,
          maxLength: 2,
          selector: ({ name }) => name,
        }),
      },
      { requiredKeys: ["namespaces"] },
    ),
  },
  { weight: 1, arbitrary: fc.constant("invalid" as const) },
);

const mode = fc.constantFrom(...MODES);
const portModes = fc.uniqueArray(fc.record({ port: fc.constantFrom(...PORTS), mode }), {
  minLength: 1,
  maxLength: 2,
  selector: ({ port }) => port,
});
const mutualTls: fc.Arbitrary<OracleMutualTls> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ target, mode }) },
  { weight: 1, arbitrary: fc.record({ target, mode, ports: portModes }) },
  { weight: 1, arbitrary: fc.record({ target, ports: portModes }) },
);

const issuer = fc.record(
  {
    issuer: fc.constantFrom(...ISSUERS),
    audience: fc.oneof(
      { weight: 6, arbitrary: fc.constant("ours" as const) },
      { weight: 1, arbitrary: fc.constantFrom("other" as const, "any" as const) },
    ),
    keys: fc.oneof({ weight: 6, arbitrary: fc.constant("inline" as const) }, { weight: 2, arbitrary: fc.constantFrom(...KEY_PLACES) }),
    from: fc.oneof(
      { weight: 2, arbitrary: fc.constant("bearer" as const) },
      { weight: 1, arbitrary: fc.constantFrom(...(Object.keys(TOKEN_SOURCES) as (keyof typeof TOKEN_SOURCES)[])) },
    ),
    maxLifetime: fc.constantFrom("24h", "2h", "30m"),
    claimsToHeaders: fc.uniqueArray(
      fc.record({ claim: fc.constantFrom("sub", ...CLAIMS), header: fc.constantFrom("x-user", ...HEADERS) }),
      { minLength: 1, maxLength: 2, selector: ({ header }) => header },
    ),
  },
  { requiredKeys: ["issuer", "audience", "keys", "from"] },
);

/** Fields that are always there when fast-check may leave them out would make few tokens acceptable: now and then is enough. */
const mostlyPlainIssuer: fc.Arbitrary<OracleIssuer> = fc
  .tuple(issuer, fc.nat(5))
  .map(([{ maxLifetime, claimsToHeaders, ...plain }, which]) => ({
    ...plain,
    ...(which === 0 && maxLifetime !== undefined ? { maxLifetime } : {}),
    ...(which <= 1 && claimsToHeaders !== undefined ? { claimsToHeaders } : {}),
  }));

const exceptions = fc.array(fc.record({ to: fc.array(to, { minLength: 1, maxLength: 2 }) }), { minLength: 1, maxLength: 2 });

const authentication: fc.Arbitrary<OracleAuthentication> = fc
  .tuple(
    fc.record({
      target,
      mutualTLS: fc.boolean(),
      issuers: fc.uniqueArray(mostlyPlainIssuer, { maxLength: 2, selector: (one) => one.issuer }),
    }),
    fc.constantFrom(undefined, "Deny" as const, "Allow" as const, "Allow" as const),
    fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: exceptions }),
  )
  .map(([policy, anonymous, except]) => ({
    ...policy,
    mutualTLS: policy.mutualTLS || policy.issuers.length === 0,
    // A header is read with one prefix only.
    issuers: policy.issuers
      .map((one) => (policy.issuers[0]?.from === "scheme" || one.from !== "scheme" ? one : { ...one, from: "bearer" as const }))
      .map((one) => (policy.issuers[0]?.from === "scheme" ? { ...one, from: "scheme" as const } : one)),
    ...(anonymous === undefined ? {} : { anonymous }),
    ...(except === undefined ? {} : { except }),
  }));

const seldom = <T>(often: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<readonly T[]> =>
  fc.oneof(
    { weight: 20 - often, arbitrary: fc.constant<readonly T[]>([]) },
    { weight: often, arbitrary: fc.array(arbitrary, { minLength: 1, maxLength: 2 }) },
  );

export const world: fc.Arbitrary<OracleWorld> = fc
  .record({
    mesh,
    access: fc.oneof({ weight: 1, arbitrary: fc.constant<readonly OraclePolicy[]>([]) }, { weight: 12, arbitrary: policySet }),
    targets: fc.array(target, { minLength: 4, maxLength: 4 }),
    mutualTls: seldom(8, mutualTls),
    authentication: seldom(14, authentication),
    broken: seldom(1, fc.record({ mistake: fc.constantFrom(...MISTAKE_NAMES), target })),
  })
  .map(({ targets, ...rest }) => ({
    ...rest,
    access: rest.access.map((policy, index) => ({ ...policy, target: targets[index] ?? "service" })),
  }));
