import type { LocatedViolation } from "../../controller/sources/files/located-violation.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { print, type OutputFormat } from "../output-format.ts";
import { say, type Terminal } from "../terminal.ts";
import { readNamedManifests } from "./read-manifests.ts";
import { checkReferences } from "./references.ts";

export interface ValidateOptions {
  readonly file: readonly string[];
  /** Warnings count as mistakes. */
  readonly strict: boolean;
  readonly output: OutputFormat;
}

/** Prints everything that is wrong, `file:line: path: reason: message`. Returns 2 when the input does not hold. */
export async function validate(options: ValidateOptions, terminal: Terminal): Promise<ExitCode> {
  const { entries, problems } = await readNamedManifests(options.file, terminal);
  const found = [...problems, ...checkReferences(entries)].toSorted(byPlace);
  const errors = found.filter(({ severity }) => severity === "error").length;
  const warnings = found.length - errors;
  if (options.output === "table") {
    for (const problem of found) terminal.output.write(`${describe(problem)}\n`);
    const objects = count(entries.size, "object");
    say(
      terminal,
      found.length === 0 ? `${objects}, nothing to complain about` : `${objects}, ${count(errors, "error")}, ${count(warnings, "warning")}`,
    );
  } else {
    await print(terminal, options.output, { columns: [], rows: [], data: { objects: entries.size, problems: found } });
  }
  return errors > 0 || (options.strict && warnings > 0) ? EXIT.usage : EXIT.ok;
}

function describe({ file, line, path, reason, message, severity }: LocatedViolation): string {
  const what = severity === "warning" ? `warning: ${reason}` : reason;
  return `${file}:${line}: ${path === "" ? "" : `${path}: `}${what}: ${message}`;
}

function byPlace(one: LocatedViolation, other: LocatedViolation): number {
  if (one.file !== other.file) return one.file < other.file ? -1 : 1;
  return one.line - other.line || one.column - other.column;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
