/**
 * The words that every policy shares: what it protects (`targetRefs`, `targetSelectors`), who calls (`from`), what is
 * called (`to`) and the circumstances (`when`). Fields of one item must all hold; items of a list are alternatives.
 * Absent means no constraint; an empty list or an empty item is invalid.
 */
import Type, { type Static } from "typebox";

const closed = { additionalProperties: false } as const;

const Name = Type.String({
  minLength: 1,
  maxLength: 253,
  description: "The target's name. A Service needs one; a Namespace is always the policy's own.",
});

export const LabelSelectorRequirement = Type.Object(
  {
    key: Type.String({ minLength: 1, maxLength: 317, description: "The label's key." }),
    operator: Type.Union([Type.Literal("In"), Type.Literal("NotIn"), Type.Literal("Exists"), Type.Literal("DoesNotExist")], {
      description: "In, NotIn: the label's value is, or is not, one of values. Exists, DoesNotExist: whether there is such a label at all.",
    }),
    values: Type.Optional(
      Type.Array(Type.String({ maxLength: 63 }), {
        maxItems: 64,
        description: "For In and NotIn: the values. Exists and DoesNotExist take none.",
      }),
    ),
  },
  closed,
);

/** The two halves of a label selector, as Kubernetes has them. */
export const LABEL_SELECTOR_FIELDS = {
  matchLabels: Type.Optional(
    Type.Record(Type.String(), Type.String(), { description: "Labels that must all be there with these values." }),
  ),
  matchExpressions: Type.Optional(
    Type.Array(LabelSelectorRequirement, { minItems: 1, maxItems: 16, description: "Requirements of labels that must all hold." }),
  ),
};

export const TargetRef = Type.Object(
  {
    group: Type.Optional(Type.String({ description: "API group of the target; may be left out for Namespace and Service." })),
    kind: Type.Union([Type.Literal("Namespace"), Type.Literal("Service")], {
      description: "Namespace: every pod of the policy's namespace. Service: the pods behind it, on the ports that it leads to.",
    }),
    name: Type.Optional(Name),
  },
  { ...closed, description: "What the policy protects: the policy's own Namespace (no name needed) or a Service in it." },
);

export const TargetSelector = Type.Object(
  {
    kind: Type.Literal("Pod", { description: "Always Pod." }),
    ...LABEL_SELECTOR_FIELDS,
  },
  { ...closed, description: "The pods that the policy protects, by label. Without labels: every pod in reach of the policy." },
);

/** What a namespaced policy protects: exactly one of the two. */
export const TARGET_FIELDS = {
  targetRefs: Type.Optional(Type.Array(TargetRef, { minItems: 1, maxItems: 16, description: "What the policy protects, by name." })),
  targetSelectors: Type.Optional(
    Type.Array(TargetSelector, { minItems: 1, maxItems: 16, description: "What the policy protects, by label; instead of targetRefs." }),
  ),
};

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
  { ...closed, description: "A verified token: an AuthenticationPolicy for the same target must accept its issuer." },
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
    name: Type.String({ minLength: 1, description: "The header's name, in any case." }),
    values: Type.Array(Type.String(), { minItems: 1, description: "Any of these values, exactly." }),
  },
  closed,
);

export const When = Type.Object(
  { headers: Type.Optional(Type.Array(HeaderMatch, { minItems: 1, description: "All of these headers." })) },
  { ...closed, minProperties: 1, description: "Circumstances: all of it must hold." },
);

export const Except = Type.Object(
  {
    from: Type.Optional(Type.Array(From, { minItems: 1, description: "Calls of any of these. Without it: of anyone." })),
    to: Type.Optional(Type.Array(To, { minItems: 1, description: "Calls to any of these. Without it: to anything." })),
  },
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
