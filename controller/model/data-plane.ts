/** How sidecars and applications are brought together. */
export type DataPlane =
  /** Sidecars are host processes that listen on their pods' own addresses; applications call through an explicit proxy. */
  | { readonly kind: "standalone" }
  /** Sidecars are injected into pods, whose traffic is redirected to them. */
  | { readonly kind: "kubernetes" };
