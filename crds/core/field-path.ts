/** `spec.rules` + `name` = `spec.rules.name`; keys that would be ambiguous are bracketed, as kubectl prints them. */
export function fieldAt(base: string, field: string): string {
  if (!/^[A-Za-z_$][\w$-]*$/.test(field)) return `${base}[${field}]`;
  return base === "" ? field : `${base}.${field}`;
}

/** `spec.rules` + 2 = `spec.rules[2]`. */
export function itemAt(base: string, index: number): string {
  return `${base}[${index}]`;
}

/** The field path of a JSON pointer (RFC 6901) into `value`. */
export function pathOfPointer(base: string, pointer: string, value: unknown): string {
  let path = base;
  let at: unknown = value;
  for (const escaped of pointer.split("/").slice(1)) {
    const key = escaped.replaceAll("~1", "/").replaceAll("~0", "~");
    path = Array.isArray(at) ? itemAt(path, Number(key)) : fieldAt(path, key);
    at = typeof at === "object" && at !== null ? (at as Record<string, unknown>)[key] : undefined;
  }
  return path;
}
