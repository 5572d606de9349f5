/**
 * Unquoted words that YAML 1.1 (kubectl, Envoy) and YAML 1.2 (this) read differently. The one who wrote them cannot know
 * which of the two will judge, so they are refused: `countries: [NO]` must never become `countries: [false]`.
 */
const BOOLEAN_IN_1_1 = /^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)$/;
const LEADING_ZERO = /^[-+]?0[0-9_]+$/;
const OCTAL_IN_1_2 = /^0o[0-7]+$/;
const BINARY_IN_1_1 = /^[-+]?0b[01_]+$/;
const SEXAGESIMAL = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;
const UNDERSCORED = /^[-+]?(?:0x[0-9a-fA-F]*_[0-9a-fA-F_]*|[0-9]+_[0-9_]*(?:\.[0-9_]*)?)$/;
const INTEGER = /^[-+]?[0-9]+$/;

/** What is ambiguous about a plain scalar, and how to mend it; undefined when nothing is. `shown` is how to call it. */
export function ambiguityOf(source: string, shown: string): string | undefined {
  if (BOOLEAN_IN_1_1.test(source)) return `${shown} is a string to YAML 1.2 and a boolean to YAML 1.1: quote it, or write true or false`;
  if (LEADING_ZERO.test(source) || OCTAL_IN_1_2.test(source)) {
    return `${shown} is a decimal number to some and an octal one to others: quote it, or write it without the leading zero`;
  }
  if (BINARY_IN_1_1.test(source)) return `${shown} is a string to YAML 1.2 and a number to YAML 1.1: quote it`;
  if (SEXAGESIMAL.test(source)) return `${shown} is a string to YAML 1.2 and a number in base 60 to YAML 1.1: quote it`;
  if (UNDERSCORED.test(source)) {
    return `${shown} is a string to YAML 1.2 and a number to YAML 1.1: quote it, or write it without the underscore`;
  }
  if (INTEGER.test(source) && !Number.isSafeInteger(Number(source))) {
    return `${shown} is too large to be kept exactly as a number: quote it`;
  }
  return undefined;
}
