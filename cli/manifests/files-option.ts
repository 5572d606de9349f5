import { Option } from "commander";

const WHAT_CAN_BE_NAMED = "files, folders, or - for standard input";

/** The `-f` of commands that take no arguments beside it: `-f a b` names two files. */
export function filesOption(description: string): Option {
  return new Option("-f, --file <path...>", `${description}; ${WHAT_CAN_BE_NAMED}`);
}

/** The `-f` of commands that take arguments: each names one file. */
export function repeatedFileOption(description: string): Option {
  return new Option("-f, --file <path>", `${description}; ${WHAT_CAN_BE_NAMED}; may be repeated`).argParser(repeated);
}

/** A commander option's reader that collects the values of an option that may be repeated. */
export function repeated(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}
