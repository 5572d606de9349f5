import { fieldAt, itemAt } from "../field-path.ts";
import { ruleNameMistake } from "../policy-name.ts";
import { violation, type Violation, warning } from "../violation.ts";
import type { Rule } from "./rule.ts";
import { type ValidateContext, validateExcept, validateFrom, validateTo, validateWhen } from "./validate-match.ts";

/** What is wrong, and what is risky, in a policy's list of rules. */
export function validateRules(rules: readonly Rule[], path: string, context: ValidateContext): Violation[] {
  return rules.flatMap((rule, index) => {
    const at = itemAt(path, index);
    const mistake = ruleNameMistake(rule.name);
    const first = rules.findIndex((other) => other.name === rule.name);
    return [
      ...(mistake === undefined ? [] : [violation(fieldAt(at, "name"), "Invalid", mistake)]),
      ...(first < index
        ? [violation(fieldAt(at, "name"), "Duplicate", `rule ${first} has the same name: logs could not tell them apart`)]
        : []),
      ...validateFrom(rule.from, fieldAt(at, "from"), context),
      ...validateTo(rule.to, fieldAt(at, "to"), context),
      ...validateWhen(rule.when, fieldAt(at, "when")),
      ...validateExcept(rule.except, fieldAt(at, "except"), context),
      ...(context.action === "Allow" && saysNothing(rule)
        ? [warning(at, "Invalid", "allows every request of anyone, so every narrower Allow rule for the same target is without effect")]
        : []),
    ];
  });
}

function saysNothing(rule: Rule): boolean {
  return rule.from === undefined && rule.to === undefined && rule.when === undefined && rule.except === undefined;
}
