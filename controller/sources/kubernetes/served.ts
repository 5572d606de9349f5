import { type KubernetesApi, KubernetesApiError } from "../../kubernetes/api.ts";
import type { KnownKind } from "../known-kind.ts";

/**
 * Whether the API server has a kind at all, by its own account: its lists of groups and of what is in them. A kind that is in
 * none has no objects; of one that merely was not found, as through a proxy that lost its way, that must not be believed.
 */
export async function isServed(api: KubernetesApi, { apiVersion, plural }: KnownKind, signal: AbortSignal): Promise<boolean> {
  const [group, version] = apiVersion.split("/");
  if (group === undefined || version === undefined) return true;
  const groups = (await api.get({ path: "/apis", signal })) as {
    readonly groups?: readonly { readonly name: string; readonly versions: readonly { readonly version: string }[] }[];
  };
  if (groups.groups === undefined) return true;
  const versions = groups.groups.find(({ name }) => name === group)?.versions ?? [];
  if (!versions.some((found) => found.version === version)) return false;
  try {
    const resources = (await api.get({ path: `/apis/${apiVersion}`, signal })) as {
      readonly resources?: readonly { readonly name: string }[];
    };
    return resources.resources?.some(({ name }) => name === plural) ?? true;
  } catch (error) {
    // Removed between the two questions.
    if (error instanceof KubernetesApiError && error.status === 404) return false;
    throw error;
  }
}
