/**
 * The spec of gateway.networking.k8s.io/v1 HTTPRoute, as the Gateway API writes it. Every field of the standard and the
 * experimental channel is known here, so that an object from elsewhere is read; what Seawall does not honour is refused
 * or reported by validate.ts, never ignored in silence.
 */
import Type, { type Static } from "typebox";
import type { KubernetesObject } from "../core/object.ts";
import { BACKEND_REFERENCE, HeaderModifier, ParentRefs, Port, RequestMirror, RuleName, ValueMatch, Weight } from "../core/route/schema.ts";

const closed = { additionalProperties: false } as const;

/** Known to the Gateway API, not to Seawall: read, and then refused by name. */
const NotHonoured = Type.Unknown();

const PathMatch = Type.Object(
  {
    type: Type.Optional(Type.Union([Type.Literal("Exact"), Type.Literal("PathPrefix"), Type.Literal("RegularExpression")])),
    value: Type.Optional(Type.String({ maxLength: 1024 })),
  },
  { ...closed, description: "By default every path. A PathPrefix ends at a slash; a RegularExpression (RE2) matches the whole path." },
);

const Match = Type.Object(
  {
    path: Type.Optional(PathMatch),
    headers: Type.Optional(Type.Array(ValueMatch, { maxItems: 16, description: "All of these headers." })),
    queryParams: Type.Optional(Type.Array(ValueMatch, { maxItems: 16, description: "All of these query parameters." })),
    method: Type.Optional(
      Type.Union([
        Type.Literal("GET"),
        Type.Literal("HEAD"),
        Type.Literal("POST"),
        Type.Literal("PUT"),
        Type.Literal("DELETE"),
        Type.Literal("CONNECT"),
        Type.Literal("OPTIONS"),
        Type.Literal("TRACE"),
        Type.Literal("PATCH"),
      ]),
    ),
  },
  { ...closed, description: "All of it must hold." },
);

const PathModifier = Type.Object(
  {
    type: Type.Union([Type.Literal("ReplaceFullPath"), Type.Literal("ReplacePrefixMatch")]),
    replaceFullPath: Type.Optional(Type.String({ maxLength: 1024 })),
    replacePrefixMatch: Type.Optional(Type.String({ maxLength: 1024 })),
  },
  closed,
);

const PreciseHostname = Type.String({
  minLength: 1,
  maxLength: 253,
  pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
});

const RequestRedirect = Type.Object(
  {
    scheme: Type.Optional(Type.Union([Type.Literal("http"), Type.Literal("https")])),
    hostname: Type.Optional(PreciseHostname),
    path: Type.Optional(PathModifier),
    port: Type.Optional(Port),
    statusCode: Type.Optional(Type.Union([Type.Literal(301), Type.Literal(302), Type.Literal(303), Type.Literal(307), Type.Literal(308)])),
  },
  closed,
);

const Filter = Type.Object(
  {
    type: Type.Union([
      Type.Literal("RequestHeaderModifier"),
      Type.Literal("ResponseHeaderModifier"),
      Type.Literal("RequestMirror"),
      Type.Literal("RequestRedirect"),
      Type.Literal("URLRewrite"),
      Type.Literal("CORS"),
      Type.Literal("ExternalAuth"),
      Type.Literal("ExtensionRef"),
    ]),
    requestHeaderModifier: Type.Optional(HeaderModifier),
    responseHeaderModifier: Type.Optional(HeaderModifier),
    requestMirror: Type.Optional(RequestMirror),
    requestRedirect: Type.Optional(RequestRedirect),
    urlRewrite: Type.Optional(Type.Object({ hostname: Type.Optional(PreciseHostname), path: Type.Optional(PathModifier) }, closed)),
    cors: Type.Optional(NotHonoured),
    externalAuth: Type.Optional(NotHonoured),
    extensionRef: Type.Optional(NotHonoured),
  },
  closed,
);

const BackendRef = Type.Object(
  {
    ...BACKEND_REFERENCE,
    weight: Type.Optional(Weight),
    filters: Type.Optional(Type.Array(Filter, { maxItems: 16 })),
  },
  closed,
);

const Rule = Type.Object(
  {
    name: Type.Optional(RuleName),
    matches: Type.Optional(Type.Array(Match, { maxItems: 64, description: "Any of these; by default every request." })),
    filters: Type.Optional(Type.Array(Filter, { maxItems: 16 })),
    backendRefs: Type.Optional(Type.Array(BackendRef, { maxItems: 16 })),
    timeouts: Type.Optional(
      Type.Object(
        {
          request: Type.Optional(Type.String({ description: "GEP-2257 duration for the whole exchange; 0s: none (the default)." })),
          backendRequest: Type.Optional(Type.String({ description: "GEP-2257 duration for one try; not above request." })),
        },
        closed,
      ),
    ),
    retry: Type.Optional(NotHonoured),
    sessionPersistence: Type.Optional(NotHonoured),
  },
  closed,
);

export const HttpRouteSpec = Type.Object(
  {
    parentRefs: ParentRefs,
    hostnames: Type.Optional(Type.Array(Type.String(), { maxItems: 16, description: "Ignored for Services (GEP-1294)." })),
    rules: Type.Optional(Type.Array(Rule, { minItems: 1, maxItems: 16 })),
    useDefaultGateways: Type.Optional(Type.String()),
  },
  closed,
);

export type HttpRouteSpec = Static<typeof HttpRouteSpec>;
export type HttpRoute = KubernetesObject<HttpRouteSpec> & { readonly kind: "HTTPRoute" };
export type RouteRuleSpec = Static<typeof Rule>;
export type RouteMatchSpec = Static<typeof Match>;
export type RouteFilter = Static<typeof Filter>;
export type PathModifier = Static<typeof PathModifier>;
export type RequestRedirect = Static<typeof RequestRedirect>;
export type RouteBackendRef = Static<typeof BackendRef>;
