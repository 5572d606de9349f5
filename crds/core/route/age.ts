import { type KubernetesObject, objectKey } from "../object.ts";

/** Orders routes as the Gateway API does where all else is equal: the older first, then by `namespace/name`. */
export function byAge(a: KubernetesObject, b: KubernetesObject): number {
  if (createdAt(a) !== createdAt(b)) return createdAt(a) < createdAt(b) ? -1 : 1;
  return objectKey(a.metadata) < objectKey(b.metadata) ? -1 : 1;
}

/** An object without a creation time that can be read, as files have it, counts as the youngest. */
function createdAt({ metadata }: KubernetesObject): number {
  const created = Date.parse(metadata.creationTimestamp ?? "");
  return Number.isNaN(created) ? Infinity : created;
}
