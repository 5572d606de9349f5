/**
 * The words that every policy shares: what it protects (`targetRefs`, `targetSelectors`), who calls (`from`), what is
 * called (`to`) and the circumstances (`when`). Fields of one item must all hold; items of a list are alternatives.
 * Absent means no constraint; an empty list or an empty item is invalid.
 */
import Type, { type Static } from "typebox";

const closed = { additionalProperties: false } as const;

const Name = Type.String({ minLength: 1, maxLength: 253 });

export const LabelSelectorRequirement = Type.Object(
  {
    key: Type.String({ minLength: 1 }),
    operator: Type.Union([Type.Literal("In"), Type.Literal("NotIn"), Type.Literal("Exists"), Type.Literal("DoesNotExist")]),
    values: Type.Optional(Type.Array(Type.String())),
  },
  closed,
);

export const TargetRef = Type.Object(
  {
    group: Type.Optional(Type.String({ description: "API group of the target; may be left out for Namespace and Service." })),
    kind: Type.Union([Type.Literal("Namespace"), Type.Literal("Service")]),
    name: Type.Optional(Name),
  },
  { ...closed, description: "What the policy protects: the policy's own Namespace (no name needed) or a Service in it." },
);

export const TargetSelector = Type.Object(
  {
    kind: Type.Literal("Pod"),
    matchLabels: Type.Optional(Type.Record(Type.String(), Type.String())),
    matchExpressions: Type.Optional(Type.Array(LabelSelectorRequirement, { minItems: 1 })),
  },
  { ...closed, description: "The pods that the policy protects, by label. Without labels: every pod in reach of the policy." },
);

/** A label selector as Kubernetes writes it. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly Static<typeof LabelSelectorRequirement>[];
}

export const ClaimMatch = Type.Object(
  {
    name: Type.String({ minLength: 1, description: "A claim, or a JSON pointer such as /realm_access/roles for a nested one." }),
    values: Type.Array(Type.String(), { minItems: 1, description: "Any of these: the claim is one of them, or a list that holds one." }),
  },
  closed,
);

export const JwtMatch = Type.Object(
  {
    issuer: Type.String({ minLength: 1, description: "The issuer of the verified token, exactly as its iss claim." }),
    scopes: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: "All of these scopes (claim scope, or scp)." }),
    ),
    claims: Type.Optional(Type.Array(ClaimMatch, { minItems: 1, description: "All of these claims." })),
  },
  closed,
);

export const From = Type.Object(
  {
    serviceAccounts: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description: 'Service accounts: "name" in the policy\'s namespace, "namespace/name" elsewhere.',
      }),
    ),
    namespaces: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: "Namespaces by name; Same is the policy's own." }),
    ),
    spiffeIds: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: "Whole SPIFFE ids." })),
    peerCIDRs: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: "Addresses of the TCP peer." })),
    jwt: Type.Optional(JwtMatch),
  },
  { ...closed, minProperties: 1, description: "Who calls. Every field that is given must hold." },
);

export const To = Type.Object(
  {
    methods: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: "HTTP methods, upper case." })),
    paths: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description: "Paths: exact, or templates with {name} for one segment and a last /** for any number of segments.",
      }),
    ),
    hosts: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: "Hosts, exact or *.suffix." })),
    ports: Type.Optional(
      Type.Array(Type.Union([Type.Integer({ minimum: 1, maximum: 65535 }), Type.String({ minLength: 1 })]), {
        minItems: 1,
        description: "The container's ports, by number or name.",
      }),
    ),
  },
  { ...closed, minProperties: 1, description: "What is called. Every field that is given must hold." },
);

export const HeaderMatch = Type.Object(
  {
    name: Type.String({ minLength: 1 }),
    values: Type.Array(Type.String(), { minItems: 1, description: "Any of these values, exactly." }),
  },
  closed,
);

export const When = Type.Object(
  { headers: Type.Optional(Type.Array(HeaderMatch, { minItems: 1, description: "All of these headers." })) },
  { ...closed, minProperties: 1, description: "Circumstances: all of it must hold." },
);

export const Except = Type.Object(
  { from: Type.Optional(Type.Array(From, { minItems: 1 })), to: Type.Optional(Type.Array(To, { minItems: 1 })) },
  { ...closed, minProperties: 1, description: "But not these." },
);

export const Enforcement = Type.Union([Type.Literal("Enforce"), Type.Literal("Audit")], {
  default: "Enforce",
  description: "Enforce acts; Audit only records what it would have done.",
});

export type TargetRef = Static<typeof TargetRef>;
export type TargetSelector = Static<typeof TargetSelector>;
export type ClaimMatch = Static<typeof ClaimMatch>;
export type JwtMatch = Static<typeof JwtMatch>;
export type From = Static<typeof From>;
export type To = Static<typeof To>;
export type HeaderMatch = Static<typeof HeaderMatch>;
export type When = Static<typeof When>;
export type Except = Static<typeof Except>;
