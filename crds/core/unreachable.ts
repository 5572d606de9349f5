/** Ends a switch over a closed union: the compiler refuses the call when a case is missing. */
export function unreachable(value: never): never {
  throw new Error(`a case is missing for ${JSON.stringify(value)}`);
}
