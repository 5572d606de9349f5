import { Option } from "commander";
import type { Terminal } from "./terminal.ts";

export const OUTPUT_FORMATS = ["table", "json", "yaml"] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** The `-o` of every command that lists something. */
export function outputOption(): Option {
  return new Option("-o, --output <format>", "how to print the result").choices(OUTPUT_FORMATS).default("table");
}

/** A result as a table and as data. Cells are text; the columns stand in the order of `columns`. */
export interface Listing {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What `-o json` and `-o yaml` print: stable names, times in RFC 3339. */
  readonly data: unknown;
  /** Said instead of an empty table. */
  readonly empty?: string;
}

export async function print(terminal: Terminal, format: OutputFormat, listing: Listing): Promise<void> {
  switch (format) {
    case "json":
      terminal.output.write(`${JSON.stringify(listing.data, null, 2)}\n`);
      return;
    case "yaml":
      terminal.output.write(await asYaml(listing.data));
      return;
    case "table":
      if (listing.rows.length === 0 && listing.empty !== undefined) terminal.messages.write(`${listing.empty}\n`);
      else terminal.output.write(table(listing.columns, listing.rows));
  }
}

/** YAML that a YAML 1.1 reader reads the same way. */
export async function asYaml(data: unknown): Promise<string> {
  const { stringify } = await import("yaml");
  return stringify(data, { version: "1.1", lineWidth: 0, aliasDuplicateObjects: false });
}

const GAP = "   ";

/** Columns as wide as their widest cell, the last one ragged. */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map((name) => name.toUpperCase()), ...rows];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  return lines
    .map(
      (line) =>
        `${widths
          .map((width, column) => (line[column] ?? "").padEnd(width))
          .join(GAP)
          .trimEnd()}\n`,
    )
    .join("");
}
