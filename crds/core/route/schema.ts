/** The parts of the Gateway API's schemas that its kinds of route share, as the Gateway API writes them. */
import Type, { type Static } from "typebox";
import type { KubernetesObject } from "../object.ts";
import type { RouteKind } from "./services.ts";

const closed = { additionalProperties: false } as const;

const Name = Type.String({ minLength: 1, maxLength: 253 });
export const Port = Type.Integer({ minimum: 1, maximum: 65535 });

export const ParentRef = Type.Object(
  {
    group: Type.Optional(Type.String({ description: 'The parent\'s API group: "" for a Service.' })),
    kind: Type.Optional(Type.String({ minLength: 1, description: "Service; other parents are for other controllers." })),
    namespace: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 253,
        description: "By default the route's. With another one the route is for callers of its own namespace alone: a consumer route.",
      }),
    ),
    name: Name,
    sectionName: Type.Optional(Type.String({ minLength: 1, description: "The name of one port of the Service." })),
    port: Type.Optional(Port),
  },
  { ...closed, description: "The Service whose callers the route concerns; without port or sectionName all its ports." },
);

export const ParentRefs = Type.Optional(Type.Array(ParentRef, { maxItems: 32 }));

/** The fields of a reference to a backend, to be spread into an object. */
export const BACKEND_REFERENCE = {
  group: Type.Optional(Type.String()),
  kind: Type.Optional(Type.String({ minLength: 1 })),
  namespace: Type.Optional(Name),
  name: Name,
  port: Type.Optional(Port),
} as const;

export const Weight = Type.Integer({ minimum: 0, maximum: 1_000_000, description: "Its share of the sum of all weights." });

export const RuleName = Type.String({
  minLength: 1,
  maxLength: 253,
  pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
});

export const ValueMatch = Type.Object(
  {
    type: Type.Optional(Type.Union([Type.Literal("Exact"), Type.Literal("RegularExpression")])),
    name: Type.String({ minLength: 1, maxLength: 256 }),
    value: Type.String({ minLength: 1, maxLength: 4096 }),
  },
  closed,
);

const Header = Type.Object(
  { name: Type.String({ minLength: 1, maxLength: 256 }), value: Type.String({ minLength: 1, maxLength: 4096 }) },
  closed,
);

export const HeaderModifier = Type.Object(
  {
    set: Type.Optional(Type.Array(Header, { maxItems: 16 })),
    add: Type.Optional(Type.Array(Header, { maxItems: 16 })),
    remove: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 16 })),
  },
  closed,
);

export const RequestMirror = Type.Object(
  {
    backendRef: Type.Object(BACKEND_REFERENCE, closed),
    percent: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
    fraction: Type.Optional(
      Type.Object({ numerator: Type.Integer({ minimum: 0 }), denominator: Type.Optional(Type.Integer({ minimum: 1 })) }, closed),
    ),
  },
  closed,
);

/** A backend of a byte stream: of connections, not of requests. */
export const ConnectionBackend = Type.Object({ ...BACKEND_REFERENCE, weight: Type.Optional(Weight) }, closed);

export type RouteParentRef = Static<typeof ParentRef>;
export type HeaderModifier = Static<typeof HeaderModifier>;
export type RequestMirror = Static<typeof RequestMirror>;
export type BackendReference = RequestMirror["backendRef"];
export type ConnectionBackend = Static<typeof ConnectionBackend>;

/** A route of any kind, as far as its place in the mesh goes. */
export interface AnyRoute extends KubernetesObject<{ readonly parentRefs?: readonly RouteParentRef[] }> {
  readonly kind: RouteKind;
}
