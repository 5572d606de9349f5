import { SIDECAR_FILES } from "../../xds-server/envoy/kubernetes-bootstrap.ts";
import { isOwn, OWN_LABELS, type StoredObject } from "./stored-object.ts";

/** The ConfigMap by which the sidecars of a namespace know the control plane. */
export const TRUST_CONFIG_MAP = "seawall-trust";

/** `ca.pem`: every root of the mesh. The others tell Envoy which files to read: they change with Seawall's version only. */
export function trustData(rootsPem: string): Readonly<Record<string, string>> {
  return { "ca.pem": rootsPem, ...SIDECAR_FILES };
}

export function trustConfigMap(namespace: string, data: Readonly<Record<string, string>>): object {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: TRUST_CONFIG_MAP, namespace, labels: OWN_LABELS }, data };
}

/** Whether a ConfigMap is ours and says exactly this. */
export function holdsTrust(object: StoredObject, data: Readonly<Record<string, string>>): boolean {
  const found = object.data ?? {};
  const keys = Object.keys(data);
  return isOwn(object) && Object.keys(found).length === keys.length && keys.every((key) => found[key] === data[key]);
}
