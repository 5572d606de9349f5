/** The suite under a mesh of another default access; where it denies, with the policies that users of the suite would write. */
import type { Cluster } from "../cluster/cluster.ts";
import { NAMESPACES } from "./features.ts";

/** Each namespace's pods may be called by the pods of both. */
function policies(): object[] {
  return NAMESPACES.flatMap((namespace) => [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels: { "seawall.dev/injection": "enabled" } } },
    {
      apiVersion: "seawall.dev/v1alpha1",
      kind: "AccessPolicy",
      metadata: { name: "conformance", namespace },
      spec: {
        targetRefs: [{ kind: "Namespace" }],
        action: "Allow",
        rules: [{ name: "each-other", from: [{ serviceAccounts: NAMESPACES.map((name) => `${name}/default`) }] }],
      },
    },
  ]);
}

export type DefaultAccess = "Allow" | "Deny";

/** Gives the mesh this default access, null being what it has without one; returns what it was. */
export async function setDefaultAccess(cluster: Pick<Cluster, "kubectl">, access: string | null): Promise<string | null> {
  const before = await cluster.kubectl("get", "meshconfig", "mesh", "--output=jsonpath={.spec.access.default}");
  const patch = JSON.stringify({ spec: { access: { default: access } } });
  await cluster.kubectl("patch", "meshconfig", "mesh", "--type=merge", "--patch", patch);
  return before === "" ? null : before;
}

/** Does `act` while the mesh has this default; then makes the mesh what it was. */
export async function underAccess<Result>(
  cluster: Pick<Cluster, "kubectl" | "apply">,
  access: DefaultAccess,
  act: () => Promise<Result>,
): Promise<Result> {
  if (access === "Deny") await cluster.apply(JSON.stringify({ apiVersion: "v1", kind: "List", items: policies() }));
  const before = await setDefaultAccess(cluster, access);
  try {
    return await act();
  } finally {
    await setDefaultAccess(cluster, before);
    for (const namespace of NAMESPACES) {
      await cluster.kubectl("delete", "accesspolicy", "conformance", `--namespace=${namespace}`, "--ignore-not-found");
    }
  }
}
