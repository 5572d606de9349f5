import { fieldAt, itemAt } from "../core/field-path.ts";
import { violation, type Violation, warning } from "../core/violation.ts";
import type { MeshConfig } from "./schema.ts";
import { MESH_CONFIG_NAME } from "./settings.ts";

/** The SPIFFE ID specification, section 2.1. */
const TRUST_DOMAIN = /^[a-z0-9._-]+$/;

/** Every mistake of a MeshConfig whose schema holds. */
export function validate({ metadata, spec }: MeshConfig): Violation[] {
  const found: Violation[] = [];
  if (metadata.name !== MESH_CONFIG_NAME) {
    found.push(violation("metadata.name", "Invalid", `there is one MeshConfig, named \`${MESH_CONFIG_NAME}\``));
  }
  if (spec.trustDomain !== undefined && !TRUST_DOMAIN.test(spec.trustDomain)) {
    found.push(
      violation("spec.trustDomain", "Invalid", "a trust domain is made of lower-case letters, digits, dots, dashes and underscores"),
    );
  }
  if (spec.access?.default === "Allow") {
    found.push(
      warning(
        "spec.access.default",
        "Invalid",
        "everything is permitted until a policy closes it: `Audit` permits as well, and records what `Deny` would refuse",
      ),
    );
  }
  const seen = new Map<string, number>();
  spec.access?.namespaces?.forEach(({ name }, index) => {
    const earlier = seen.get(name);
    const path = fieldAt(itemAt("spec.access.namespaces", index), "name");
    if (earlier !== undefined) found.push(violation(path, "Duplicate", `item ${earlier} is about ${name} already`));
    else seen.set(name, index);
  });
  return found;
}
