import Type, { type Static } from "typebox";
import type { KubernetesObject } from "../core/object.ts";
import { TARGET_FIELDS, To } from "../core/match.ts";

const closed = { additionalProperties: false } as const;
const exactlyOne = { ...closed, minProperties: 1, maxProperties: 1 } as const;

/** Where a token is carried. Exactly one of `header` and `query`. */
export const TokenSource = Type.Object(
  {
    header: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: "A request header whose value is the token." })),
    prefix: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 30,
        description: 'What stands before the token in the header authorization. Default: "Bearer ".',
      }),
    ),
    query: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: "A query parameter. Its value may end up in logs: prefer a header." }),
    ),
  },
  { ...closed, minProperties: 1, description: "Where the token is carried." },
);

export const ClaimToHeader = Type.Object(
  {
    claim: Type.String({ minLength: 1, maxLength: 200, description: "A claim, or a JSON pointer such as /realm/tenant for a nested one." }),
    header: Type.String({
      minLength: 1,
      maxLength: 100,
      description: "The request header that the application reads. Callers cannot set it: it is removed from every request first.",
    }),
  },
  closed,
);

export const Jwks = Type.Object(
  {
    uri: Type.Optional(
      Type.String({ minLength: 1, maxLength: 2000, description: "Where the issuer publishes its keys; the control plane fetches them." }),
    ),
    inline: Type.Optional(Type.String({ minLength: 1, maxLength: 200_000, description: "The JSON Web Key Set itself, as JSON text." })),
  },
  { ...exactlyOne, description: "The issuer's public keys: by uri or inline." },
);

export const JwtProof = Type.Object(
  {
    issuer: Type.String({ minLength: 1, maxLength: 1000, description: "The issuer, exactly as in the iss claim." }),
    audiences: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 1000 }), {
        minItems: 1,
        maxItems: 50,
        description: "The token must be meant for one of these. Without it, a token for any other service of the issuer is accepted here.",
      }),
    ),
    jwks: Jwks,
    from: Type.Optional(
      Type.Array(TokenSource, { minItems: 1, maxItems: 4, description: "Where the token is looked for. Default: Authorization: Bearer." }),
    ),
    maxLifetime: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          "The longest time that a token may still be valid for when it is presented, such as 1h. Every token must expire anyway.",
      }),
    ),
    claimsToHeaders: Type.Optional(
      Type.Array(ClaimToHeader, { minItems: 1, maxItems: 20, description: "Claims that the application receives as headers." }),
    ),
  },
  { ...closed, description: "A JSON Web Token of this issuer, signed, unexpired and with an expiry." },
);

export const Proof = Type.Object(
  {
    mutualTLS: Type.Optional(Type.Object({}, { ...closed, description: "The caller's mesh identity, proven by mutual TLS." })),
    jwt: Type.Optional(JwtProof),
  },
  { ...exactlyOne, description: "One kind of proof." },
);

export const AuthenticationPolicySpec = Type.Object(
  {
    ...TARGET_FIELDS,
    enforcement: Type.Optional(
      Type.Union([Type.Literal("Enforce")], {
        default: "Enforce",
        description: "Proofs are always enforced; Audit is for a later version.",
      }),
    ),
    accept: Type.Array(Proof, {
      minItems: 1,
      maxItems: 16,
      description: "Any of these proofs. A proof that is presented must be valid, even beside another valid one.",
    }),
    anonymous: Type.Optional(
      Type.Union([Type.Literal("Deny"), Type.Literal("Allow")], {
        default: "Deny",
        description: "Whether a caller may come without proof. Rules of an AccessPolicy can still ask for one.",
      }),
    ),
    except: Type.Optional(
      Type.Array(Type.Object({ to: Type.Array(To, { minItems: 1, maxItems: 16, description: "Calls to any of these." }) }, closed), {
        minItems: 1,
        maxItems: 16,
        description: "Requests that need no proof: tokens are not read there. Access policies apply all the same.",
      }),
    ),
  },
  closed,
);

export type TokenSource = Static<typeof TokenSource>;
export type JwtProof = Static<typeof JwtProof>;
export type AuthenticationPolicySpec = Static<typeof AuthenticationPolicySpec>;
export type AuthenticationPolicy = KubernetesObject<AuthenticationPolicySpec>;
