import { CertificateError } from "./certificate-error.ts";
import type { Clock } from "./clock.ts";
import type { Randomness } from "./randomness.ts";
import {
  isIssuedBy,
  makeSigningCredential,
  readSigningCredential,
  type SigningCredential,
  type SigningRole,
} from "./signing-credential.ts";
import { corrupt, StateError } from "./state-error.ts";
import type { StateStore } from "./state-store.ts";

const ROOT = "root.pem";
const INTERMEDIATE = "intermediate.pem";
/** During a root's rotation: trusted already, signs nothing yet. */
const NEXT_ROOT = "root-next.pem";
/** During a root's rotation: signs nothing any more, trusted still; its key stays for going back. */
const PREVIOUS_ROOT = "root-previous.pem";

/** An intermediate is replaced when a third of its life is left. */
const RENEW_AT = 2 / 3;

export interface AuthorityStateOptions {
  readonly store: StateStore;
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Milliseconds. */
  readonly rootLifetime: number;
  /** Milliseconds. */
  readonly intermediateLifetime: number;
}

/**
 * The signing certificates of a mesh as they stand in its store. Every change is there before it is in memory, and a crash between two steps leaves a state that the next start completes.
 */
export class AuthorityState {
  readonly #options: AuthorityStateOptions;
  #root: SigningCredential;
  #intermediate: SigningCredential;
  #next: SigningCredential | undefined;
  #previous: SigningCredential | undefined;

  /** Reads the state, or makes it where there is none. Throws a {@link StateError}. */
  constructor(options: AuthorityStateOptions) {
    this.#options = options;
    const { store } = options;
    if (store.read(ROOT) === undefined && store.read(INTERMEDIATE) !== undefined) {
      throw corrupt(store, ROOT, `is missing, while ${INTERMEDIATE} is there`);
    }
    this.#root = this.#read(
      ROOT,
      store.readOrCreate(ROOT, () => this.#makeRoot()),
      "root",
    );
    this.#next = this.#readIfPresent(NEXT_ROOT);
    this.#previous = this.#readIfPresent(PREVIOUS_ROOT);
    this.#refuseOutOfDate(this.#root);
    for (const root of [this.#root, this.#next, this.#previous]) this.#refuseWrongIssuer(root, root);

    const intermediate = store.readOrCreate(INTERMEDIATE, () => this.#makeIntermediate(this.#root));
    this.#intermediate = this.#read(INTERMEDIATE, intermediate, "intermediate");
    if ([this.#next, this.#previous].some((other) => other && isIssuedBy(this.#intermediate.certificate, other.certificate))) {
      // A crash in the middle of a rotation's step: the root is in place, the intermediate below it is not.
      this.renewIntermediate();
    }
    this.#refuseWrongIssuer(this.#intermediate, this.#root);
    if (this.#intermediate.notBefore > options.clock.now()) throw this.#notYetValid(this.#intermediate);
  }

  get root(): SigningCredential {
    return this.#root;
  }

  get intermediate(): SigningCredential {
    return this.#intermediate;
  }

  /** Every root that verifiers shall trust now, the active one first. */
  get trusted(): readonly SigningCredential[] {
    return [this.#root, this.#next, this.#previous].filter((root) => root !== undefined);
  }

  /** Unix milliseconds from which the intermediate should be replaced, or never: it cannot outlive its root. */
  get renewIntermediateAt(): number {
    const { notBefore, notAfter } = this.#intermediate;
    return notAfter >= this.#root.notAfter ? Infinity : notBefore + (notAfter - notBefore) * RENEW_AT;
  }

  /** Replaces the intermediate below the active root. What the old one signed stays valid. */
  renewIntermediate(): void {
    this.#refuseOutOfDate(this.#root);
    const content = this.#makeIntermediate(this.#root);
    this.#options.store.replace(INTERMEDIATE, content);
    this.#intermediate = this.#read(INTERMEDIATE, content, "intermediate");
  }

  /** First step of a root's rotation: a new root that is trusted and signs nothing. */
  prepareRoot(): void {
    this.#expect(this.#next === undefined && this.#previous === undefined, "a rotation of the root has begun already");
    const content = this.#makeRoot();
    this.#options.store.replace(NEXT_ROOT, content);
    this.#next = this.#read(NEXT_ROOT, content, "root");
  }

  /** Second step: the new root signs, the old one stays trusted. Only once every verifier has acknowledged the new one. */
  activateRoot(): void {
    const next = this.#next;
    this.#expect(next !== undefined, "no new root has been prepared");
    this.#exchange(PREVIOUS_ROOT, NEXT_ROOT);
    this.#previous = this.#root;
    this.#next = undefined;
    this.#root = next;
    this.renewIntermediate();
  }

  /** Takes the last step back: an active new root becomes a prepared one, and a prepared one is forgotten. */
  revertRoot(): void {
    const previous = this.#previous;
    if (previous === undefined) {
      this.#expect(this.#next !== undefined, "no rotation of the root has begun");
      this.#options.store.remove(NEXT_ROOT);
      this.#next = undefined;
      return;
    }
    this.#exchange(NEXT_ROOT, PREVIOUS_ROOT);
    this.#next = this.#root;
    this.#previous = undefined;
    this.#root = previous;
    this.renewIntermediate();
  }

  /** The last step, which cannot be taken back: the old root is forgotten. Only when nothing it signed is in use. */
  dropPreviousRoot(): void {
    this.#expect(this.#previous !== undefined, "there is no old root to drop");
    this.#options.store.remove(PREVIOUS_ROOT);
    this.#previous = undefined;
  }

  /** Keeps the active root under the name `kept`, then puts the one named `successor` in its place. */
  #exchange(kept: string, successor: string): void {
    const { store } = this.#options;
    const active = store.read(ROOT);
    if (active === undefined) throw corrupt(store, ROOT, "is missing");
    store.replace(kept, active);
    store.rename(successor, ROOT);
  }

  #makeRoot(): string {
    const { trustDomain, clock, rootLifetime, randomness } = this.#options;
    return makeSigningCredential({ role: "root", trustDomain, now: clock.now(), lifetime: rootLifetime }, randomness);
  }

  #makeIntermediate(issuer: SigningCredential): string {
    const { trustDomain, clock, intermediateLifetime, randomness } = this.#options;
    return makeSigningCredential(
      { role: "intermediate", trustDomain, issuer, now: clock.now(), lifetime: intermediateLifetime },
      randomness,
    );
  }

  #readIfPresent(name: string): SigningCredential | undefined {
    const content = this.#options.store.read(name);
    if (content === undefined) return undefined;
    const credential = this.#read(name, content, "root");
    // A crash in the middle of an exchange leaves the active root under both names.
    return credential.fingerprint === this.#root.fingerprint ? undefined : credential;
  }

  #read(name: string, content: string, role: SigningRole): SigningCredential {
    return readSigningCredential(this.#options.store, name, content, role, this.#options.trustDomain);
  }

  #refuseWrongIssuer(credential: SigningCredential | undefined, issuer: SigningCredential | undefined): void {
    if (credential === undefined || issuer === undefined || isIssuedBy(credential.certificate, issuer.certificate)) return;
    const path = this.#options.store.pathOf(credential.role === "root" ? ROOT : INTERMEDIATE);
    const { restore, startOver, removePart } = this.#options.store.remedies;
    const remedy = credential.role === "root" ? `${restore}, or ${startOver}` : `${removePart}: the next start makes a new one`;
    throw new StateError("StateBrokenChain", path, "holds a certificate that the root did not sign", remedy);
  }

  #refuseOutOfDate(root: SigningCredential): void {
    const now = this.#options.clock.now();
    if (root.notBefore > now) throw this.#notYetValid(root);
    if (root.notAfter > now) return;
    throw new StateError(
      "StateExpired",
      this.#options.store.pathOf(ROOT),
      `expired on ${new Date(root.notAfter).toISOString()}`,
      `Nothing that it signed is trusted any more: ${this.#options.store.remedies.startOver}`,
    );
  }

  #notYetValid(credential: SigningCredential): StateError {
    return new StateError(
      "StateNotYetValid",
      this.#options.store.pathOf(credential.role === "root" ? ROOT : INTERMEDIATE),
      `is valid only from ${new Date(credential.notBefore).toISOString()}, which is in the future`,
      "Set this machine's clock",
    );
  }

  #expect(condition: boolean, otherwise: string): asserts condition {
    if (!condition) throw new CertificateError("RotationOutOfOrder", otherwise);
  }
}
