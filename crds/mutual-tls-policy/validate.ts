import { fieldAt, itemAt } from "../core/field-path.ts";
import { validateTargets } from "../core/target.ts";
import { violation, type Violation, warning } from "../core/violation.ts";
import type { MutualTLSPolicy } from "./schema.ts";

/** Every mistake of a policy whose schema holds. */
export function validate({ spec, metadata }: MutualTLSPolicy): Violation[] {
  const found = validateTargets(spec, metadata);
  if (spec.mode === "Off") {
    found.push(
      warning(
        "spec.mode",
        "Invalid",
        "traffic to these targets is neither encrypted nor authenticated; `Permissive` keeps mTLS for callers that can",
      ),
    );
  }
  const seen = new Map<number, number>();
  spec.ports?.forEach(({ port }, index) => {
    const earlier = seen.get(port);
    const path = fieldAt(itemAt("spec.ports", index), "port");
    if (earlier !== undefined) found.push(violation(path, "Duplicate", `item ${earlier} is about port ${port} already`));
    else seen.set(port, index);
  });
  return found;
}
