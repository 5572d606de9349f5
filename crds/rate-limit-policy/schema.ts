import Type, { type Static } from "typebox";
import { Enforcement, TARGET_FIELDS, To } from "../core/match.ts";
import type { KubernetesObject } from "../core/object.ts";

const closed = { additionalProperties: false } as const;

export const LimitKey = Type.Object(
  {
    type: Type.Union([Type.Literal("Identity"), Type.Literal("Header"), Type.Literal("Claim"), Type.Literal("Address")], {
      description: "Identity: the mesh identity. Header, Claim: its value. Address: the caller's IP address.",
    }),
    name: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: "The header, or the claim (a JSON pointer for a nested one)." }),
    ),
    issuer: Type.Optional(Type.String({ minLength: 1, maxLength: 1000, description: "Whose token the claim is of." })),
  },
  closed,
);

export const OnExceed = Type.Object(
  {
    action: Type.Union([Type.Literal("Reject")], { description: "Reject: the request is refused." }),
    status: Type.Optional(
      Type.Integer({
        minimum: 400,
        maximum: 599,
        default: 429,
        description: "Of the refusal: 429, 503 or 403. gRPC callers get RESOURCE_EXHAUSTED.",
      }),
    ),
  },
  { ...closed, description: "What happens to a request beyond the limit." },
);

export const Limit = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: 63,
      pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
      description: "Unique in the policy: what logs, metrics and explain call it.",
    }),
    to: Type.Optional(Type.Array(To, { minItems: 1, maxItems: 8, description: "The requests that count. Without it: all." })),
    per: Type.Optional(
      Type.Array(LimitKey, {
        minItems: 1,
        maxItems: 4,
        description:
          "Who has a bucket of their own: every combination of these. Who has no such key shares one bucket. Without it: one for all.",
      }),
    ),
    requests: Type.Integer({ minimum: 1, maximum: 1_000_000_000, description: "How many requests fit into a window." }),
    window: Type.String({
      minLength: 1,
      maxLength: 32,
      description: "How long a window is, such as 1m: the bucket refills evenly over it.",
    }),
    burst: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000_000_000, description: "How many may come at once: the bucket's size. Default: requests." }),
    ),
    scope: Type.Optional(
      Type.Union([Type.Literal("Local")], { default: "Local", description: "Local: each replica of the target counts for itself." }),
    ),
    onExceed: Type.Optional(OnExceed),
  },
  closed,
);

export const RateLimitPolicySpec = Type.Object(
  {
    ...TARGET_FIELDS,
    enforcement: Type.Optional(Enforcement),
    limits: Type.Array(Limit, { minItems: 1, maxItems: 12, description: "All that match a request must admit it." }),
  },
  closed,
);

export type LimitKey = Static<typeof LimitKey>;
export type Limit = Static<typeof Limit>;
export type RateLimitPolicySpec = Static<typeof RateLimitPolicySpec>;
export type RateLimitPolicy = KubernetesObject<RateLimitPolicySpec>;

export const DEFAULT_STATUS = 429;
/** Statuses that a refusal may have: others would say something else than "later". */
export const REFUSAL_STATUSES: readonly number[] = [403, 429, 503];
