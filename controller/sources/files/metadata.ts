/** `metadata`, which is the same for every kind. */
import { fieldAt } from "../../../crds/core/field-path.ts";
import { suggestion } from "../../../crds/core/suggest.ts";
import { violation, type Violation, warning } from "../../../crds/core/violation.ts";
import type { KnownKind } from "../known-kind.ts";

type Fields = Readonly<Record<string, unknown>>;

const METADATA_FIELDS = [
  "name",
  "namespace",
  "labels",
  "annotations",
  "creationTimestamp",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "finalizers",
  "generateName",
  "generation",
  "managedFields",
  "ownerReferences",
  "resourceVersion",
  "selfLink",
  "uid",
];

/** RFC 1123, as Kubernetes has it for names of objects. */
const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAMESPACE = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** What is wrong with the metadata of an object of a known kind. */
export function checkMetadata(metadata: Fields, known: KnownKind): Violation[] {
  const found: Violation[] = [];
  checkName(metadata, "name", NAME, 253, found);
  if (known.namespaced) checkName(metadata, "namespace", NAMESPACE, 63, found);
  else if (metadata["namespace"] !== undefined) {
    found.push(violation("metadata.namespace", "Invalid", `${known.kind} is cluster scoped: remove the namespace`));
  }
  checkStrings(metadata, "labels", found);
  checkStrings(metadata, "annotations", found);
  const created = metadata["creationTimestamp"];
  if (created !== undefined && (typeof created !== "string" || Number.isNaN(Date.parse(created)))) {
    found.push(violation("metadata.creationTimestamp", "Invalid", "must be a date and time as in RFC 3339"));
  }
  const { generation, uid } = metadata;
  if (generation !== undefined && !Number.isSafeInteger(generation)) {
    found.push(violation("metadata.generation", "WrongType", "must be an integer"));
  }
  if (uid !== undefined && typeof uid !== "string") found.push(violation("metadata.uid", "WrongType", "must be a string"));
  for (const field of Object.keys(metadata)) {
    if (METADATA_FIELDS.includes(field)) continue;
    const make = known.closed ? violation : warning;
    found.push(make(fieldAt("metadata", field), "UnknownField", `unknown field \`${field}\`${suggestion(field, METADATA_FIELDS)}`));
  }
  return found;
}

function checkName(metadata: Fields, field: "name" | "namespace", form: RegExp, longest: number, found: Violation[]): void {
  const value = metadata[field];
  const path = `metadata.${field}`;
  if (value === undefined && field === "namespace") return;
  if (value === undefined) found.push(violation(path, "Required", "is required"));
  else if (typeof value !== "string") found.push(violation(path, "WrongType", `must be a string: quote ${JSON.stringify(value)}`));
  else if (value.length > longest) found.push(violation(path, "TooMany", `must have at most ${longest} characters`));
  else if (!form.test(value)) {
    const dots = field === "name" ? ", `-` and `.`" : " and `-`";
    found.push(
      violation(
        path,
        "Invalid",
        `${JSON.stringify(value)} is no name: lower-case letters, digits${dots} only, with a letter or digit at both ends`,
      ),
    );
  }
}

function checkStrings(metadata: Fields, field: "labels" | "annotations", found: Violation[]): void {
  const values = metadata[field];
  if (values === undefined) return;
  const path = `metadata.${field}`;
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    found.push(violation(path, "WrongType", "must be an object whose values are strings"));
    return;
  }
  for (const [key, value] of Object.entries(values)) {
    if (typeof value !== "string") {
      found.push(violation(fieldAt(path, key), "WrongType", `must be a string: quote ${JSON.stringify(value)}`));
    }
  }
}
