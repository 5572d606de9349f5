import type { DefaultAccess } from "../core/mesh-words.ts";
import type { ObjectMeta } from "../core/object.ts";
import type { PolicyRequest } from "../core/request.ts";
import type { MutualTLSMode, MutualTLSPolicy } from "./schema.ts";

/** What is asked of callers of one port, and the name of who asks. */
export interface MutualTlsDemand {
  readonly mode: MutualTLSMode;
  /** `mutual-tls/<namespace>/<policy>/strict`, or `mutual-tls/mesh/default/strict` where no policy says anything. */
  readonly rule: string;
}

/** The demand on a port: the acting policy's, else strict where the access default is Deny and permissive elsewhere. */
export function mutualTlsDemand(policy: MutualTLSPolicy | undefined, port: number, defaultAccess: DefaultAccess): MutualTlsDemand {
  if (policy === undefined) {
    return { mode: defaultAccess === "Deny" ? "Strict" : "Permissive", rule: ruleOf({ namespace: "mesh", name: "default" }) };
  }
  const mode = policy.spec.ports?.find((entry) => entry.port === port)?.mode ?? policy.spec.mode;
  return { mode, rule: ruleOf(policy.metadata) };
}

function ruleOf({ namespace, name }: Pick<ObjectMeta, "namespace" | "name">): string {
  return `mutual-tls/${namespace ?? ""}/${name}/strict`;
}

/** The rule that refuses the request, or undefined when the demand is met. */
export function evaluate(request: Pick<PolicyRequest, "identity">, demand: MutualTlsDemand): string | undefined {
  return demand.mode === "Strict" && request.identity === undefined ? demand.rule : undefined;
}
