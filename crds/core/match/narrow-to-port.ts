/**
 * A rule as it stands on one port: items of `to` for other ports are gone, and so is what a TCP port cannot ask. An empty
 * item is no condition at all here, unlike in a policy that somebody writes.
 */
import { coversPort } from "./covers-port.ts";
import type { Except, From, To, When } from "../match.ts";
import type { CalledPort } from "../request.ts";
import type { Rule } from "./rule.ts";

export interface RuleOnPort {
  readonly name: string;
  readonly from?: readonly From[];
  readonly to?: readonly To[];
  readonly when?: When;
  readonly except: readonly { readonly from?: readonly From[]; readonly to?: readonly To[] }[];
}

export type NarrowedRule =
  | { readonly kind: "rule"; readonly rule: RuleOnPort; readonly widened: boolean }
  /** It speaks of other ports only. */
  | { readonly kind: "elsewhere" }
  /** An Allow rule with conditions on HTTP never allows on a TCP port. */
  | { readonly kind: "never" };

export function narrowToPort(rule: Rule, port: CalledPort, action: "Allow" | "Deny"): NarrowedRule {
  const to = rule.to?.filter((item) => coversPort(item, port));
  if (to?.length === 0) return { kind: "elsewhere" };
  const except = (rule.except ?? []).flatMap((item) => {
    const called = item.to?.filter((one) => coversPort(one, port));
    return called?.length === 0 ? [] : [{ ...item, ...(called === undefined ? {} : { to: called }) }];
  });
  const here = { ...rule, ...(to === undefined ? {} : { to }), except };
  if (port.protocol === "HTTP" || !needsHttp(here)) return { kind: "rule", rule: onHttp(here), widened: false };
  return action === "Allow" ? { kind: "never" } : { kind: "rule", rule: widened(here), widened: true };
}

/** Whether a rule, as it stands on a port, asks for what only HTTP has. */
function needsHttp(rule: Pick<Rule, "from" | "to" | "when" | "except">): boolean {
  const inItem = ({ from, to }: Except): boolean => (from ?? []).some(readsToken) || (to ?? []).some(readsRequest);
  return inItem(rule) || rule.when?.headers !== undefined || (rule.except ?? []).some(inItem);
}

function readsToken(from: From): boolean {
  return from.jwt !== undefined;
}

function readsRequest(to: To): boolean {
  return to.methods !== undefined || to.paths !== undefined || to.hosts !== undefined;
}

function onHttp(rule: Rule & { except: Except[] }): RuleOnPort {
  return { ...rule, ...(rule.to === undefined ? {} : { to: rule.to.map(withoutPorts) }), except: rule.except.map(onHttpExcept) };
}

function onHttpExcept(except: Except): Except {
  return except.to === undefined ? except : { ...except, to: except.to.map(withoutPorts) };
}

/** A Deny rule without its conditions on HTTP; an exception that has any is none. */
function widened(rule: Rule & { except: Except[] }): RuleOnPort {
  const { name, from, to } = rule;
  return {
    name,
    ...(from === undefined ? {} : { from: from.map(withoutToken) }),
    ...(to === undefined ? {} : { to: to.map(() => ({})) }),
    except: rule.except.flatMap((except) => {
      const callers = except.from?.filter((item) => !readsToken(item));
      const called = except.to?.filter((item) => !readsRequest(item));
      if (callers?.length === 0 || called?.length === 0) return [];
      return [{ ...(callers === undefined ? {} : { from: callers }), ...(called === undefined ? {} : { to: called.map(withoutPorts) }) }];
    }),
  };
}

function withoutPorts(to: To): To {
  const { methods, paths, hosts } = to;
  return { ...(methods && { methods }), ...(paths && { paths }), ...(hosts && { hosts }) };
}

function withoutToken(from: From): From {
  const rest = { ...from };
  delete rest.jwt;
  return rest;
}
