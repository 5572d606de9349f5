import { fieldAt, itemAt } from "../core/field-path.ts";
import { portMistake } from "../core/match/validate-match.ts";
import { validateTargets } from "../core/target.ts";
import { violation, type Violation, warning } from "../core/violation.ts";
import type { MutualTLSPolicy } from "./schema.ts";

export function validateMutualTLSPolicy({ metadata, spec }: MutualTLSPolicy): Violation[] {
  const found = validateTargets(spec, metadata);
  const { mode, minVersion, postQuantum, ports = [] } = spec;
  if (mode === undefined && minVersion === undefined && postQuantum === undefined && ports.length === 0) {
    found.push(violation("spec", "Required", "says nothing: give a `mode`, `minVersion`, `postQuantum` or `ports`"));
  }
  ports.forEach(({ port }, index) => {
    const at = fieldAt(itemAt("spec.ports", index), "port");
    const mistake = portMistake(port);
    const first = ports.findIndex((other) => other.port === port);
    if (mistake !== undefined) found.push(violation(at, "Invalid", mistake));
    if (first < index) found.push(violation(at, "Duplicate", `ports[${first}] is about ${port} too`));
  });
  if (mode === "Disable") {
    found.push(
      warning(
        "spec.mode",
        "Invalid",
        "traffic of the mesh to these targets is neither encrypted nor has it an identity that a rule could ask for",
      ),
    );
  }
  if (postQuantum === "Require" && minVersion === "1.2") {
    found.push(
      violation("spec.minVersion", "Conflict", 'post-quantum key exchange exists only in TLS 1.3: write "1.3", or `postQuantum: Prefer`'),
    );
  }
  return found;
}
