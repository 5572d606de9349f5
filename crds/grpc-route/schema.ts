/**
 * The spec of gateway.networking.k8s.io/v1 GRPCRoute, as the Gateway API writes it, with every field of the standard and the
 * experimental channel; what Seawall does not honour is refused or reported by validate.ts, never ignored in silence.
 */
import Type, { type Static } from "typebox";
import type { KubernetesObject } from "../core/object.ts";
import { BACKEND_REFERENCE, HeaderModifier, ParentRefs, RequestMirror, RuleName, ValueMatch, Weight } from "../core/route/schema.ts";

const closed = { additionalProperties: false } as const;

/** Known to the Gateway API, not to Seawall: read, and then refused by name. */
const NotHonoured = Type.Unknown();

const MethodMatch = Type.Object(
  {
    type: Type.Optional(Type.Union([Type.Literal("Exact"), Type.Literal("RegularExpression")])),
    service: Type.Optional(Type.String({ maxLength: 1024, description: "With its package: `shop.v1.Orders`." })),
    method: Type.Optional(Type.String({ maxLength: 1024 })),
  },
  { ...closed, description: "A service, a method or both." },
);

const Match = Type.Object(
  {
    method: Type.Optional(MethodMatch),
    headers: Type.Optional(Type.Array(ValueMatch, { maxItems: 16, description: "All of these headers (gRPC: metadata)." })),
  },
  { ...closed, description: "All of it must hold." },
);

const Filter = Type.Object(
  {
    type: Type.Union([
      Type.Literal("RequestHeaderModifier"),
      Type.Literal("ResponseHeaderModifier"),
      Type.Literal("RequestMirror"),
      Type.Literal("ExtensionRef"),
    ]),
    requestHeaderModifier: Type.Optional(HeaderModifier),
    responseHeaderModifier: Type.Optional(HeaderModifier),
    requestMirror: Type.Optional(RequestMirror),
    extensionRef: Type.Optional(NotHonoured),
  },
  closed,
);

const BackendRef = Type.Object(
  { ...BACKEND_REFERENCE, weight: Type.Optional(Weight), filters: Type.Optional(Type.Array(Filter, { maxItems: 16 })) },
  closed,
);

const Rule = Type.Object(
  {
    name: Type.Optional(RuleName),
    matches: Type.Optional(Type.Array(Match, { maxItems: 64, description: "Any of these; by default every call." })),
    filters: Type.Optional(Type.Array(Filter, { maxItems: 16 })),
    backendRefs: Type.Optional(Type.Array(BackendRef, { maxItems: 16 })),
    sessionPersistence: Type.Optional(NotHonoured),
  },
  closed,
);

export const GrpcRouteSpec = Type.Object(
  {
    parentRefs: ParentRefs,
    hostnames: Type.Optional(Type.Array(Type.String(), { maxItems: 16, description: "Ignored for Services (GEP-1294)." })),
    rules: Type.Optional(Type.Array(Rule, { minItems: 1, maxItems: 16 })),
    useDefaultGateways: Type.Optional(Type.String()),
  },
  closed,
);

export type GrpcRouteSpec = Static<typeof GrpcRouteSpec>;
export type GrpcRoute = KubernetesObject<GrpcRouteSpec> & { readonly kind: "GRPCRoute" };
export type GrpcRuleSpec = Static<typeof Rule>;
export type GrpcMatchSpec = Static<typeof Match>;
export type GrpcMethodMatch = Static<typeof MethodMatch>;
