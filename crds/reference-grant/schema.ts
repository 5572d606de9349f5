/** The spec of gateway.networking.k8s.io/v1 ReferenceGrant, as the Gateway API writes it. */
import Type, { type Static } from "typebox";
import type { KubernetesObject } from "../core/object.ts";

const closed = { additionalProperties: false } as const;
const Name = Type.String({ minLength: 1, maxLength: 253 });

export const ReferenceGrantSpec = Type.Object(
  {
    from: Type.Array(Type.Object({ group: Type.String(), kind: Name, namespace: Name }, closed), {
      minItems: 1,
      maxItems: 16,
      description: "Who may refer: a kind in a namespace. For routes the group is gateway.networking.k8s.io.",
    }),
    to: Type.Array(Type.Object({ group: Type.String(), kind: Name, name: Type.Optional(Name) }, closed), {
      minItems: 1,
      maxItems: 16,
      description: 'To what of the grant\'s own namespace: `group: "", kind: Service`; without a name to every one.',
    }),
  },
  closed,
);

export type ReferenceGrantSpec = Static<typeof ReferenceGrantSpec>;
export type ReferenceGrant = KubernetesObject<ReferenceGrantSpec>;
