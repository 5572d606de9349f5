/** Words that the mesh's configuration and its policies share. */
import Type, { type Static } from "typebox";

/** What happens to a request that no policy speaks of. */
export const DefaultAccess = Type.Union([Type.Literal("Deny"), Type.Literal("Audit"), Type.Literal("Allow")]);
export type DefaultAccess = Static<typeof DefaultAccess>;

export const TlsVersion = Type.Union([Type.Literal("1.2"), Type.Literal("1.3")]);
export type TlsVersion = Static<typeof TlsVersion>;

/** Hybrid post-quantum key exchange between sidecars. */
export const PostQuantum = Type.Union([Type.Literal("Prefer"), Type.Literal("Require"), Type.Literal("Disable")]);
export type PostQuantum = Static<typeof PostQuantum>;
