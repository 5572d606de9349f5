import { claimNameMistake } from "../core/claims.ts";
import { parseDuration } from "../core/duration.ts";
import { fieldAt, itemAt } from "../core/field-path.ts";
import { toHeaderMatchers } from "../core/match/translate-to.ts";
import { validateTo } from "../core/match/validate-match.ts";
import { ruleNameMistake } from "../core/policy-name.ts";
import { validateTargets } from "../core/target.ts";
import { unreachable } from "../core/unreachable.ts";
import { violation, type Violation, warning } from "../core/violation.ts";
import { disjoint } from "./disjoint-matches.ts";
import { type Limit, type LimitKey, type RateLimitPolicy, REFUSAL_STATUSES } from "./schema.ts";

/** Items that differ in several fields multiply: a request must not be counted once for each that it matches. */
const MOST_ALTERNATIVES = 64;
const SHORTEST_WINDOW_MS = 1_000;
const LONGEST_WINDOW_MS = 24 * 3_600_000;

/** Every mistake of a policy whose schema holds. */
export function validate({ spec, metadata }: RateLimitPolicy): Violation[] {
  const names = spec.limits.map(({ name }) => name);
  return [
    ...validateTargets(spec, metadata),
    ...spec.limits.flatMap((limit, index) => {
      const path = itemAt("spec.limits", index);
      const duplicate = names.indexOf(limit.name) !== index;
      return [
        ...(duplicate ? [violation(fieldAt(path, "name"), "Duplicate", `another limit is called ${limit.name} already`)] : []),
        ...validateLimit(limit, path),
      ];
    }),
  ];
}

function validateLimit(limit: Limit, path: string): Violation[] {
  const found: Violation[] = [];
  const mistake = ruleNameMistake(limit.name);
  if (mistake !== undefined) found.push(violation(fieldAt(path, "name"), "Invalid", mistake));
  const mistakes = validateTo(limit.to, fieldAt(path, "to"), { namespace: undefined, action: "Other" });
  found.push(...mistakes);
  if (mistakes.length === 0 && disjoint((limit.to ?? []).map(toHeaderMatchers)).length > MOST_ALTERNATIVES) {
    const message = "its items overlap in too many ways: list methods and paths together, or make several limits of it";
    found.push(violation(fieldAt(path, "to"), "TooMany", message));
  }
  found.push(...validateWindow(limit, path));
  const status = limit.onExceed?.status;
  if (status !== undefined && !REFUSAL_STATUSES.includes(status)) {
    const message = `${status} does not say that the caller came too often: ${REFUSAL_STATUSES.join(", ")} are possible`;
    found.push(violation(fieldAt(fieldAt(path, "onExceed"), "status"), "Invalid", message));
  }
  if (limit.per?.every(({ type }) => type === "Header") === true) {
    const message = "callers choose the value of a header, and so their bucket: add Identity, Claim or Address to bind them";
    found.push(warning(fieldAt(path, "per"), "Invalid", message));
  }
  const keys = (limit.per ?? []).map(keyName);
  limit.per?.forEach((key, index) => {
    const at = itemAt(fieldAt(path, "per"), index);
    if (keys.indexOf(keyName(key)) !== index) found.push(violation(at, "Duplicate", `${keyName(key)} is listed already`));
    found.push(...validateKey(key, at));
  });
  return found;
}

function keyName({ type, name, issuer }: LimitKey): string {
  return [type, type === "Header" ? name?.toLowerCase() : name, issuer].filter((word) => word !== undefined).join(" ");
}

function validateWindow({ window, requests, burst }: Limit, path: string): Violation[] {
  const at = fieldAt(path, "window");
  const milliseconds = parseDuration(window);
  if (milliseconds === undefined) return [violation(at, "Invalid", `${JSON.stringify(window)} is not a duration such as 1m or 90s`)];
  if (milliseconds < SHORTEST_WINDOW_MS || milliseconds > LONGEST_WINDOW_MS) {
    return [violation(at, "Invalid", "a window is at least 1s and at most 24h: longer ones are quotas, which are not supported yet")];
  }
  if (burst !== undefined && burst > requests * 10) {
    return [
      warning(
        fieldAt(path, "burst"),
        "Invalid",
        `after a pause ${burst} requests may come at once, though the limit is ${requests} in ${window}`,
      ),
    ];
  }
  return [];
}

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

function validateKey({ type, name, issuer }: LimitKey, path: string): Violation[] {
  const found: Violation[] = [];
  const refuse = (field: "name" | "issuer", value: string | undefined): void => {
    if (value !== undefined) found.push(violation(fieldAt(path, field), "Invalid", `${type} has no ${field}: leave it out`));
  };
  switch (type) {
    case "Identity":
    case "Address":
      refuse("name", name);
      refuse("issuer", issuer);
      return found;
    case "Header":
      refuse("issuer", issuer);
      if (name === undefined) found.push(violation(fieldAt(path, "name"), "Required", "name the header"));
      else if (!HEADER_NAME.test(name)) found.push(violation(fieldAt(path, "name"), "Invalid", "is not the name of a header"));
      return found;
    case "Claim": {
      if (issuer === undefined) found.push(violation(fieldAt(path, "issuer"), "Required", "say whose token the claim is of"));
      if (name === undefined) return [...found, violation(fieldAt(path, "name"), "Required", "name the claim")];
      const mistake = claimNameMistake(name);
      return mistake === undefined ? found : [...found, violation(fieldAt(path, "name"), "Invalid", mistake)];
    }
    default:
      return unreachable(type);
  }
}
