import type { StateStore } from "./state-store.ts";

/** Why the state of the authority cannot be used. A closed set: the CLI and tests may switch on it. */
export type StateErrorCode =
  /** It, or a part of it, cannot be created or changed: permissions, a read-only or full disk, a file in the way. */
  | "StateNotWritable"
  | "StateNotReadable"
  /** Somebody else on this machine could read keys, or has put them there. */
  | "StateExposed"
  | "StateOwnedByAnother"
  /** A part does not hold what it should. */
  | "StateCorrupt"
  | "StateKeyMismatch"
  /** A certificate was not signed by the one above it. */
  | "StateBrokenChain"
  | "StateExpired"
  /** A certificate is not valid yet: the clock is wrong. */
  | "StateNotYetValid"
  /** The state belongs to a mesh with another trust domain. */
  | "StateTrustDomainMismatch"
  /** It is gone, while others still trust what it held. */
  | "StateMissing"
  /** It is of another mesh identity than the one that this process runs with. */
  | "StateReplaced";

/** Names the place and what to do about it. Never holds any content of the state. */
export class StateError extends Error {
  override readonly name = "StateError";
  readonly code: StateErrorCode;
  readonly path: string;
  readonly remedy: string;

  constructor(code: StateErrorCode, path: string, problem: string, remedy: string, cause?: unknown) {
    super(`${path} ${problem}. ${remedy}.`, cause === undefined ? {} : { cause });
    this.code = code;
    this.path = path;
    this.remedy = remedy;
  }
}

/** For a part of the state whose content is not what Seawall wrote there. */
export function corrupt(store: StateStore, name: string, problem: string, cause?: unknown): StateError {
  const { restore, startOver } = store.remedies;
  return new StateError("StateCorrupt", store.pathOf(name), problem, `${restore}, or ${startOver}`, cause);
}
