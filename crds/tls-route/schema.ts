/** The spec of gateway.networking.k8s.io/v1 TLSRoute, as the Gateway API writes it. */
import Type, { type Static } from "typebox";
import type { KubernetesObject } from "../core/object.ts";
import { ConnectionBackend, ParentRefs, RuleName } from "../core/route/schema.ts";

const closed = { additionalProperties: false } as const;

const Hostname = Type.String({
  minLength: 1,
  maxLength: 253,
  pattern: "^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
});

const Rule = Type.Object(
  {
    name: Type.Optional(RuleName),
    backendRefs: Type.Optional(Type.Array(ConnectionBackend, { minItems: 1, maxItems: 16 })),
  },
  closed,
);

export const TlsRouteSpec = Type.Object(
  {
    parentRefs: ParentRefs,
    hostnames: Type.Optional(
      Type.Array(Hostname, {
        maxItems: 1024,
        description: "The server names that callers ask for (SNI); `*.example.com` is every name below. Without any: all.",
      }),
    ),
    rules: Type.Optional(Type.Array(Rule, { minItems: 1, maxItems: 1 })),
    useDefaultGateways: Type.Optional(Type.String()),
  },
  closed,
);

export type TlsRouteSpec = Static<typeof TlsRouteSpec>;
export type TlsRoute = KubernetesObject<TlsRouteSpec> & { readonly kind: "TLSRoute" };
