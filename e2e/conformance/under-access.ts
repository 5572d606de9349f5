/** The suite under a mesh of another default access; where it denies, with the policies that users of the suite would write. */
import { spawnSync } from "node:child_process";
import { clusterProgram } from "../../tools/cluster/fetch-cluster-tools.ts";

const NAMESPACES = ["gateway-conformance-mesh", "gateway-conformance-mesh-consumer"];

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

/** Does `act` while the mesh has this default; then makes the mesh what it was. */
export async function underAccess<Result>(kubeconfig: string, access: DefaultAccess, act: () => Promise<Result>): Promise<Result> {
  const kubectl = (args: readonly string[], input?: string): string => {
    const { status, stdout, stderr } = spawnSync(clusterProgram("kubectl"), ["--kubeconfig", kubeconfig, ...args], {
      encoding: "utf8",
      ...(input === undefined ? {} : { input }),
    });
    if (status !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr.trim()}`);
    return stdout;
  };
  const setDefault = (wanted: string | null): void =>
    void kubectl(["patch", "meshconfig", "mesh", "--type=merge", "--patch", JSON.stringify({ spec: { access: { default: wanted } } })]);

  const before = kubectl(["get", "meshconfig", "mesh", "--output=jsonpath={.spec.access.default}"]);
  if (access === "Deny") kubectl(["apply", "--filename=-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: policies() }));
  setDefault(access);
  try {
    return await act();
  } finally {
    setDefault(before === "" ? null : before);
    for (const namespace of NAMESPACES)
      kubectl(["delete", "accesspolicy", "conformance", `--namespace=${namespace}`, "--ignore-not-found"]);
  }
}
