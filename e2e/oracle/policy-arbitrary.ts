/** Valid policies of every shape that the language has in this version. */
import fc from "fast-check";
import type { Except, From, HeaderMatch, JwtMatch, To, When } from "../../crds/core/match.ts";
import type { Rule } from "../../crds/core/match/rule.ts";
import { parsePathTemplate } from "../../crds/core/path-template.ts";
import {
  CIDRS,
  CLAIM_VALUES,
  CLAIMS,
  HEADER_VALUES,
  HEADERS,
  HOSTS,
  IDENTITIES,
  ISSUERS,
  LITERALS,
  METHODS,
  NAMESPACE,
  PORTS,
  SCOPES,
  TRUST_DOMAIN,
} from "./cast.ts";

/** An access policy as the source gives it. The namespaced ones are in {@link NAMESPACE}. */
export interface OraclePolicy {
  readonly kind: "AccessPolicy" | "ClusterAccessPolicy";
  readonly name: string;
  readonly action: "Allow" | "Deny";
  readonly enforcement: "Enforce" | "Audit";
  readonly rules: readonly Rule[];
}

const some = <T>(values: readonly T[], maxLength = 3): fc.Arbitrary<T[]> =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength });

/** How often a field is present, out of ten. Fields of one item must all hold: were all of them common, few requests would fit. */
type Fields<T> = { readonly [Field in keyof T]-?: readonly [often: number, arbitrary: fc.Arbitrary<NonNullable<T[Field]>>] };

/** An object of some of the fields, never empty. */
function someOf<T extends object>(fields: Fields<T>): fc.Arbitrary<T> {
  const optional = Object.entries<readonly [number, fc.Arbitrary<unknown>]>(fields).map(([name, [often, arbitrary]]) => {
    const present = { weight: often, arbitrary: arbitrary.map((value) => [[name, value] as const]) };
    return fc.oneof({ weight: 10 - often, arbitrary: fc.constant([]) }, present);
  });
  return fc
    .tuple(...optional)
    .filter((parts) => parts.some((part) => part.length > 0))
    .map((parts) => Object.fromEntries(parts.flat()) as T);
}

const path: fc.Arbitrary<string> = fc
  .record({
    segments: fc.array(fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...LITERALS) }, { weight: 2, arbitrary: fc.constant("{}") }), {
      maxLength: 3,
    }),
    end: fc.constantFrom("", "/", "/**"),
  })
  .map(({ segments, end }) => `${segments.map((segment, index) => `/${segment === "{}" ? `{v${index}}` : segment}`).join("")}${end}` || "/")
  .filter((text) => parsePathTemplate(text).kind === "template");

export const to: fc.Arbitrary<To> = someOf<To>({
  paths: [7, fc.uniqueArray(path, { minLength: 1, maxLength: 3 })],
  methods: [4, some(METHODS)],
  hosts: [2, some(HOSTS, 2)],
  ports: [2, some<number | string>(PORTS, 3)],
});

const claim = fc.record({ name: fc.constantFrom(...CLAIMS), values: some(CLAIM_VALUES, 2) });
const jwt: fc.Arbitrary<JwtMatch> = fc.record(
  {
    issuer: fc.constantFrom(...ISSUERS),
    scopes: some(SCOPES, 2),
    claims: fc.uniqueArray(claim, { minLength: 1, maxLength: 2, selector: ({ name }) => name }),
  },
  { requiredKeys: ["issuer"] },
);

/** A cluster policy has no namespace of its own, so it must name namespaces. */
export function from(kind: OraclePolicy["kind"]): fc.Arbitrary<From> {
  const full = IDENTITIES.map(({ namespace, serviceAccount }) => `${namespace}/${serviceAccount}`);
  const accounts = kind === "AccessPolicy" ? ["web", "default", ...full] : full;
  const namespaces = kind === "AccessPolicy" ? ["Same", "shop", "bank"] : ["shop", "bank"];
  const ids = IDENTITIES.map(({ namespace, serviceAccount }) => `spiffe://${TRUST_DOMAIN}/ns/${namespace}/sa/${serviceAccount}`);
  return someOf<From>({
    serviceAccounts: [5, some(accounts)],
    namespaces: [2, some(namespaces, 2)],
    spiffeIds: [1, some([...ids, `spiffe://other.example/ns/${NAMESPACE}/sa/web`], 2)],
    peerCIDRs: [2, some(CIDRS, 2)],
    jwt: [4, jwt],
  });
}

const header: fc.Arbitrary<HeaderMatch> = fc.record({ name: fc.constantFrom(...HEADERS), values: some(HEADER_VALUES, 2) });
export const when: fc.Arbitrary<When> = fc
  .uniqueArray(header, { minLength: 1, maxLength: 2, selector: ({ name }) => name })
  .map((headers) => ({ headers }));

export function except(kind: OraclePolicy["kind"]): fc.Arbitrary<Except> {
  return someOf<Except>({
    from: [5, fc.array(from(kind), { minLength: 1, maxLength: 2 })],
    to: [6, fc.array(to, { minLength: 1, maxLength: 2 })],
  });
}

function rule(kind: OraclePolicy["kind"]): fc.Arbitrary<Omit<Rule, "name">> {
  return someOf<Omit<Rule, "name">>({
    from: [7, fc.array(from(kind), { minLength: 1, maxLength: 2 })],
    to: [8, fc.array(to, { minLength: 1, maxLength: 2 })],
    when: [3, when],
    except: [3, fc.array(except(kind), { minLength: 1, maxLength: 2 })],
  });
}

/** A policy is named by its place in the set, a rule by its place in the policy. */
export const policySet: fc.Arbitrary<readonly OraclePolicy[]> = fc
  .array(
    fc.constantFrom("AccessPolicy" as const, "ClusterAccessPolicy" as const).chain((kind) =>
      fc.record({
        kind: fc.constant(kind),
        action: fc.constantFrom("Allow" as const, "Deny" as const),
        enforcement: fc.oneof(
          { weight: 4, arbitrary: fc.constant("Enforce" as const) },
          { weight: 1, arbitrary: fc.constant("Audit" as const) },
        ),
        rules: fc.array(rule(kind), { minLength: 1, maxLength: 3 }),
      }),
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((policies) =>
    policies.map((policy, index) => ({
      ...policy,
      name: `p${index}`,
      rules: policy.rules.map((one, at) => ({ name: `r${at}`, ...one })),
    })),
  );
