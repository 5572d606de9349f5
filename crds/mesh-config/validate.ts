import { fieldAt, itemAt } from "../core/field-path.ts";
import { violation, type Violation, warning } from "../core/violation.ts";
import type { MeshConfig } from "./schema.ts";

/** The only name that a MeshConfig may have. */
export const MESH_CONFIG_NAME = "mesh";

const TRUST_DOMAIN = /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/;
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export function validateMeshConfig({ metadata, spec }: MeshConfig): Violation[] {
  const found: Violation[] = [];
  if (metadata.name !== MESH_CONFIG_NAME) {
    found.push(violation("metadata.name", "Invalid", `there is one MeshConfig and its name is ${MESH_CONFIG_NAME}`));
  }
  if (spec.trustDomain !== undefined && !TRUST_DOMAIN.test(spec.trustDomain)) {
    const message = "a trust domain is lower-case letters, digits, dots, dashes and underscores, without spiffe:// and path";
    found.push(violation("spec.trustDomain", "Invalid", message));
  }
  const namespaces = spec.access?.namespaces ?? [];
  namespaces.forEach(({ name }, index) => {
    const at = fieldAt(itemAt("spec.access.namespaces", index), "name");
    const first = namespaces.findIndex((other) => other.name === name);
    if (!NAMESPACE.test(name)) found.push(violation(at, "Invalid", `${JSON.stringify(name)} is not the name of a namespace`));
    if (first < index) found.push(violation(at, "Duplicate", `namespaces[${first}] is about ${name} too`));
  });
  if (spec.access?.default === "Allow") {
    found.push(warning("spec.access.default", "Invalid", "everything that no Allow policy protects is open to everyone who can reach it"));
  }
  return found;
}

/** What a change of the MeshConfig may not do. */
export function validateMeshConfigChange(before: MeshConfig, after: MeshConfig): Violation[] {
  const [from, to] = [before.spec.trustDomain ?? "cluster.local", after.spec.trustDomain ?? "cluster.local"];
  if (from === to) return [];
  return [violation("spec.trustDomain", "Invalid", `cannot be changed from ${from}: every identity of the mesh is made of it`)];
}
