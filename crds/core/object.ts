/** The part of a Kubernetes object's metadata that Seawall reads. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** RFC 3339. The older of two conflicting policies wins. Files may omit it. */
  readonly creationTimestamp?: string;
  readonly generation?: number;
  readonly uid?: string;
}

/** A Kubernetes object with a spec, whatever its kind. */
export interface KubernetesObject<Spec = unknown> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec: Spec;
}

/** The API group and version of Seawall's own kinds. */
export const SEAWALL_API_VERSION = "seawall.dev/v1alpha1";

/** `namespace/name`, or the bare name of a cluster-scoped object. */
export function objectKey(metadata: ObjectMeta): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}
