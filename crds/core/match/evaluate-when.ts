/** Circumstances: plain semantics of `when`, after 5-policies.md. */
import type { HeaderMatch, When } from "../match.ts";
import type { PolicyRequest } from "../request.ts";
import { type EvaluateContext, listed, type Unmet } from "./evaluate-context.ts";

/**
 * What `when` misses in the request. In an Allow rule a header must come in exactly one line that is one of the values;
 * in a Deny rule one line, or one element of a line between commas, is enough.
 */
export function unmetWhen(when: When | undefined, request: PolicyRequest, context: EvaluateContext, action: "Allow" | "Deny"): Unmet {
  if (when?.headers === undefined) return [];
  if (context.port.protocol === "TCP") return context.unknown ? [] : ["a TCP port has no headers"];
  const unmet = action === "Allow" ? unmetInAllow : unmetInDeny;
  return when.headers.flatMap((header) => unmet(header, linesOf(header.name, request)));
}

function unmetInAllow({ name, values }: HeaderMatch, lines: readonly string[]): Unmet {
  const [line, ...more] = lines;
  if (line === undefined) return [`the header ${name} is missing`];
  if (more.length > 0) return [`the header ${name} comes in ${lines.length} lines; an Allow rule needs exactly one`];
  return values.includes(line) ? [] : [`the header ${name} is ${JSON.stringify(line)}, not ${listed(values)}`];
}

function unmetInDeny({ name, values }: HeaderMatch, lines: readonly string[]): Unmet {
  const elements = lines.flatMap((line) => line.split(",").map(trimmed));
  return elements.some((element) => values.includes(element)) ? [] : [`the header ${name} has no ${listed(values)}`];
}

function linesOf(name: string, request: PolicyRequest): readonly string[] {
  return request.headers.filter(([header]) => header === name).map(([, value]) => trimmed(value));
}

/** Without the optional white space of RFC 9110. */
function trimmed(value: string): string {
  return value.replaceAll(/^[ \t]+|[ \t]+$/g, "");
}
