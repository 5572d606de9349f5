/** Does every policy hold, and does every sidecar that it concerns enforce it? */
import { KINDS } from "../../crds/kinds.ts";
import type { Condition, KubePolicy } from "../cluster/objects.ts";
import { type Check, count, type Finding, findingsAbout } from "./finding.ts";

/** Those that the mesh reads and writes no conditions for. */
const WITHOUT_STATUS = new Set(["MeshConfig"]);

export const policiesCheck: Check = {
  area: "policies",
  async look({ cluster }) {
    const { ok } = findingsAbout(this.area);
    const own = KINDS.filter(({ apiVersion, kind }) => apiVersion.startsWith("seawall.dev/") && !WITHOUT_STATUS.has(kind));
    const lists = await Promise.all(
      own.map(async ({ kind, plural, apiVersion }) =>
        (await cluster.list<KubePolicy>(`/apis/${apiVersion}/${plural}`)).map((policy) => ({ kind, policy })),
      ),
    );
    const policies = lists.flat();
    const found = policies.flatMap(({ kind, policy }) => judge(nameOf(kind, policy), policy));
    if (policies.length === 0) return [ok("there are none yet")];
    return found.length > 0 ? found : [ok(`${count(policies.length, "policy", "policies")}, all accepted and enforced`)];
  },
};

function judge(name: string, { metadata, status }: KubePolicy): Finding[] {
  const { warning, problem } = findingsAbout("policies");
  const conditions = (status?.conditions ?? []).filter(
    ({ observedGeneration }) => observedGeneration === undefined || observedGeneration === metadata.generation,
  );
  if (conditions.length === 0)
    return [warning(`${name} has no status for what it says now`, "wait a moment; the leader's log says why it stays so")];
  const failed = (type: string): Condition | undefined => conditions.find((one) => one.type === type && one.status === "False");
  const accepted = failed("Accepted");
  if (accepted !== undefined) return [problem(`${name} does not hold: ${words(accepted)}`, "mend it: its targets refuse until then")];
  const found: Finding[] = [];
  const programmed = failed("Programmed");
  if (programmed !== undefined) found.push(problem(`${name} is not enforced everywhere: ${words(programmed)}`, "seawall proxy status"));
  const resolved = failed("ResolvedRefs");
  if (resolved !== undefined) found.push(warning(`${name} names what does not exist: ${words(resolved)}`));
  return found;
}

function nameOf(kind: string, { metadata }: KubePolicy): string {
  return `${kind} ${metadata.namespace === undefined ? "" : `${metadata.namespace}/`}${metadata.name}`;
}

function words({ reason, message }: Condition): string {
  return message === undefined || message === "" ? (reason ?? "no reason given") : message;
}
