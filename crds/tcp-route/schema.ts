/** The spec of gateway.networking.k8s.io/v1 TCPRoute, as the Gateway API writes it. */
import Type, { type Static } from "typebox";
import type { KubernetesObject } from "../core/object.ts";
import { ConnectionBackend, ParentRefs, RuleName } from "../core/route/schema.ts";

const closed = { additionalProperties: false } as const;

const Rule = Type.Object(
  {
    name: Type.Optional(RuleName),
    backendRefs: Type.Optional(Type.Array(ConnectionBackend, { minItems: 1, maxItems: 16 })),
  },
  closed,
);

export const TcpRouteSpec = Type.Object(
  {
    parentRefs: ParentRefs,
    rules: Type.Optional(Type.Array(Rule, { minItems: 1, maxItems: 1 })),
    useDefaultGateways: Type.Optional(Type.String()),
  },
  closed,
);

export type TcpRouteSpec = Static<typeof TcpRouteSpec>;
export type TcpRoute = KubernetesObject<TcpRouteSpec> & { readonly kind: "TCPRoute" };
