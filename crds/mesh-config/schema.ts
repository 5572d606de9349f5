import Type, { type Static } from "typebox";
import type { KubernetesObject } from "../core/object.ts";

const closed = { additionalProperties: false } as const;

const DefaultAccess = Type.Union([Type.Literal("Deny"), Type.Literal("Audit"), Type.Literal("Allow")], {
  description:
    "What happens to a request that no rule speaks of: refused; permitted and recorded; permitted, unless an Allow policy protects the port.",
});

export const TlsVersion = Type.Union([Type.Literal("1.2"), Type.Literal("1.3")], {
  description: "The lowest version of TLS. Quote it: without quotes YAML makes it a number.",
});
export type TlsVersion = Static<typeof TlsVersion>;

export const PostQuantum = Type.Union([Type.Literal("Prefer"), Type.Literal("Require"), Type.Literal("Disable")], {
  description: "Hybrid post-quantum key exchange (X25519MLKEM768): offered first, the only one offered, or not offered.",
});
export type PostQuantum = Static<typeof PostQuantum>;

export const MeshConfigSpec = Type.Object(
  {
    trustDomain: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 253,
        default: "cluster.local",
        description:
          "The trust domain of every identity, spiffe://<trustDomain>/ns/<namespace>/sa/<service account>. It cannot be changed later.",
      }),
    ),
    access: Type.Optional(
      Type.Object(
        {
          default: Type.Optional(DefaultAccess),
          namespaces: Type.Optional(
            Type.Array(
              Type.Object(
                { name: Type.String({ minLength: 1, maxLength: 63, description: "The namespace's name." }), default: DefaultAccess },
                closed,
              ),
              {
                minItems: 1,
                maxItems: 1000,
                description: "Namespaces with a default of their own, which replaces that of the mesh.",
              },
            ),
          ),
        },
        { ...closed, description: "The default access. Without it: Deny." },
      ),
    ),
    tls: Type.Optional(
      Type.Object(
        { minVersion: Type.Optional(TlsVersion), postQuantum: Type.Optional(PostQuantum) },
        { ...closed, description: "The floor for TLS between sidecars: no policy goes below it." },
      ),
    ),
  },
  closed,
);
export type MeshConfigSpec = Static<typeof MeshConfigSpec>;
export type MeshConfig = KubernetesObject<MeshConfigSpec>;
