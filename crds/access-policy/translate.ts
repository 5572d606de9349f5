import type { RbacRule, RbacSlot } from "../core/contribution.ts";
import { translateRule } from "../core/match/translate.ts";
import { ruleName } from "../core/policy-name.ts";
import type { CalledPort } from "../core/request.ts";
import { unreachable } from "../core/unreachable.ts";
import type { AnyAccessPolicy } from "./schema.ts";

export interface AccessContext {
  readonly trustDomain: string;
  readonly port: CalledPort;
}

/** What a valid access policy amounts to on one port. */
export interface TranslatedAccess {
  readonly rules: readonly RbacRule[];
  /** Names of Allow rules that never allow here, because the port is TCP and they ask for what only HTTP has. */
  readonly never: readonly string[];
  /** Names of Deny rules that refuse more here than they say, for the same reason. */
  readonly widened: readonly string[];
}

const compiled = new WeakMap<AnyAccessPolicy, Map<string, TranslatedAccess>>();

/** Compiles a valid policy for a port; once for all ports on which it means the same. */
export function translateAccess(policy: AnyAccessPolicy, context: AccessContext): TranslatedAccess {
  let known = compiled.get(policy);
  if (known === undefined) compiled.set(policy, (known = new Map<string, TranslatedAccess>()));
  const { protocol, number, name } = context.port;
  const signature = JSON.stringify([context.trustDomain, protocol, ...(namesPorts(policy) ? [number, name] : [])]);
  let translated = known.get(signature);
  if (translated === undefined) known.set(signature, (translated = compile(policy, context)));
  return translated;
}

/** An enforced Allow policy closes the ports that it protects: what it does not permit is refused even where the default is Allow. */
export function closesPort({ spec }: AnyAccessPolicy): boolean {
  return spec.action === "Allow" && spec.enforcement !== "Audit";
}

function namesPorts({ spec }: AnyAccessPolicy): boolean {
  return (spec.rules ?? []).some((rule) =>
    [...(rule.to ?? []), ...(rule.except ?? []).flatMap((except) => except.to ?? [])].some((to) => to.ports !== undefined),
  );
}

function compile(policy: AnyAccessPolicy, context: AccessContext): TranslatedAccess {
  const { kind, metadata, spec } = policy;
  const rules: RbacRule[] = [];
  const never: string[] = [];
  const widened: string[] = [];
  for (const rule of spec.rules ?? []) {
    const name = ruleName(kind, metadata, rule.name);
    const translated = translateRule(rule, spec.action, { ...context, namespace: metadata.namespace });
    switch (translated.kind) {
      case "elsewhere":
        break;
      case "never":
        never.push(name);
        break;
      case "policy":
        if (translated.widened) widened.push(name);
        rules.push(...slotsOf(policy).map((slot): RbacRule => ({ slot, name, policy: translated.policy })));
        break;
      default:
        unreachable(translated);
    }
  }
  return { rules, never, widened };
}

/** The audit is what would happen if every policy were enforced, so what is allowed anyway is allowed there too. */
function slotsOf({ spec }: AnyAccessPolicy): readonly RbacSlot[] {
  if (spec.action === "Deny") return spec.enforcement === "Audit" ? ["audit-deny"] : ["deny"];
  return spec.enforcement === "Audit" ? ["audit-allow"] : ["allow", "audit-allow"];
}
