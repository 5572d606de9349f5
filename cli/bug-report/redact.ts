/** What leaves the cluster in a report: nothing that lets anybody in. */
import { record, withoutSecrets } from "../proxy/config-dump.ts";

const REDACTED = "[redacted]";

/** Private keys, signed tokens and bearer credentials, wherever they stand in a text. */
const SECRETS: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]+/g,
  /(?<=\b(?:bearer|basic) )[\w.~+/=-]{8,}/gi,
];

export function redactText(text: string): string {
  return SECRETS.reduce((redacted, pattern) => redacted.replace(pattern, REDACTED), text);
}

/** Copies of whole objects, which would tell what is left out elsewhere; and what nobody reads. */
const LEFT_OUT = new Set(["managedFields", "kubectl.kubernetes.io/last-applied-configuration"]);

/** A Kubernetes object without the values of environment variables, which hold passwords often enough. */
export function redactObject(value: unknown): unknown {
  return withoutEnvironment(withoutSecrets(value));
}

function withoutEnvironment(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEnvironment);
  const fields = record(value);
  if (fields === undefined) return value;
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([name]) => !LEFT_OUT.has(name))
      .map(([name, field]) => [name, name === "env" && Array.isArray(field) ? field.map(withoutValue) : withoutEnvironment(field)]),
  );
}

function withoutValue(variable: unknown): unknown {
  const fields = record(variable);
  return fields?.["value"] === undefined ? variable : { ...fields, value: REDACTED };
}
