/**
 * A list of paths, hosts or header values may become one regular expression, and Envoy refuses those whose compiled
 * program is larger than 10,000 instructions. An expression's program is smaller than its text.
 */
const LONGEST_EXPRESSION = 8_000;

/** What is wrong with a list whose items, as expressions, have these lengths; undefined when nothing is. */
export function sizeMistake(lengths: readonly number[]): string | undefined {
  const length = lengths.reduce((sum, one) => sum + one + 1, 0);
  if (length <= LONGEST_EXPRESSION) return undefined;
  return `is too long: as one expression it has ${length} characters, and Envoy compiles no more than ${LONGEST_EXPRESSION}: use a template, or several items`;
}
