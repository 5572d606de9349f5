export const CONFIG_PARTS = ["listeners", "routes", "clusters", "endpoints", "secrets", "extensions"] as const;
export type ConfigPart = (typeof CONFIG_PARTS)[number];
