import { type InjectionSettings, NOTHING_EXCLUDED } from "../injection-settings.ts";

export const SETTINGS: InjectionSettings = {
  version: "0.1.0",
  systemNamespace: "seawall-system",
  image: "seawall/sidecar:0.1.0",
  imagePullPolicy: "IfNotPresent",
  controlPlane: { host: "seawall.seawall-system.svc", port: 15010 },
  resources: { requests: { cpu: "50m", memory: "96Mi" }, limits: { memory: "512Mi" } },
  concurrency: 2,
  logLevel: "warning",
  ipv6: true,
  farewellSeconds: 5,
  excluded: NOTHING_EXCLUDED,
};
