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
import { corrupt, START_OVER, type StateFolder, StateFolderError } from "./state-folder.ts";

const ROOT = "root.pem";
const INTERMEDIATE = "intermediate.pem";
/** During a root's rotation: trusted already, signs nothing yet. */
const NEXT_ROOT = "root-next.pem";
/** During a root's rotation: signs nothing any more, trusted still; its key stays for going back. */
const PREVIOUS_ROOT = "root-previous.pem";

/** An intermediate is replaced when a third of its life is left. */
const RENEW_AT = 2 / 3;

export interface AuthorityStateOptions {
  readonly folder: StateFolder;
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Milliseconds. */
  readonly rootLifetime: number;
  /** Milliseconds. */
  readonly intermediateLifetime: number;
}

/**
 * The signing certificates of a mesh as they stand in its state folder. Every change is on disk before it is in memory,
 * and a crash between two steps leaves a state that the next start completes.
 */
export class AuthorityState {
  readonly #options: AuthorityStateOptions;
  #root: SigningCredential;
  #intermediate: SigningCredential;
  #next: SigningCredential | undefined;
  #previous: SigningCredential | undefined;

  /** Reads the state, or makes it where there is none. Throws a {@link StateFolderError}. */
  constructor(options: AuthorityStateOptions) {
    this.#options = options;
    const { folder } = options;
    if (folder.read(ROOT) === undefined && folder.read(INTERMEDIATE) !== undefined) {
      throw corrupt(folder.pathOf(ROOT), `is missing, while ${INTERMEDIATE} is there`);
    }
    this.#root = this.#read(
      ROOT,
      folder.readOrCreate(ROOT, () => this.#makeRoot()),
      "root",
    );
    this.#next = this.#readIfPresent(NEXT_ROOT);
    this.#previous = this.#readIfPresent(PREVIOUS_ROOT);
    this.#refuseOutOfDate(this.#root);
    for (const root of [this.#root, this.#next, this.#previous]) this.#refuseWrongIssuer(root, root);

    const intermediate = folder.readOrCreate(INTERMEDIATE, () => this.#makeIntermediate(this.#root));
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
    this.#options.folder.replace(INTERMEDIATE, content);
    this.#intermediate = this.#read(INTERMEDIATE, content, "intermediate");
  }

  /** First step of a root's rotation: a new root that is trusted and signs nothing. */
  prepareRoot(): void {
    this.#expect(this.#next === undefined && this.#previous === undefined, "a rotation of the root has begun already");
    const content = this.#makeRoot();
    this.#options.folder.replace(NEXT_ROOT, content);
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
      this.#options.folder.remove(NEXT_ROOT);
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
    this.#options.folder.remove(PREVIOUS_ROOT);
    this.#previous = undefined;
  }

  /** Keeps the active root under the name `kept`, then puts the one named `successor` in its place. */
  #exchange(kept: string, successor: string): void {
    const { folder } = this.#options;
    const active = folder.read(ROOT);
    if (active === undefined) throw corrupt(folder.pathOf(ROOT), "is missing");
    folder.replace(kept, active);
    folder.rename(successor, ROOT);
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
    const content = this.#options.folder.read(name);
    if (content === undefined) return undefined;
    const credential = this.#read(name, content, "root");
    // A crash in the middle of an exchange leaves the active root under both names.
    return credential.fingerprint === this.#root.fingerprint ? undefined : credential;
  }

  #read(name: string, content: string, role: SigningRole): SigningCredential {
    return readSigningCredential(this.#options.folder.pathOf(name), content, role, this.#options.trustDomain);
  }

  #refuseWrongIssuer(credential: SigningCredential | undefined, issuer: SigningCredential | undefined): void {
    if (credential === undefined || issuer === undefined || isIssuedBy(credential.certificate, issuer.certificate)) return;
    const path = this.#options.folder.pathOf(credential.role === "root" ? ROOT : INTERMEDIATE);
    const remedy =
      credential.role === "root" ? `Restore the folder from a backup, or ${START_OVER}` : `Remove the file: the next start makes a new one`;
    throw new StateFolderError("StateBrokenChain", path, "holds a certificate that the root did not sign", remedy);
  }

  #refuseOutOfDate(root: SigningCredential): void {
    const now = this.#options.clock.now();
    if (root.notBefore > now) throw this.#notYetValid(root);
    if (root.notAfter > now) return;
    throw new StateFolderError(
      "StateExpired",
      this.#options.folder.pathOf(ROOT),
      `expired on ${new Date(root.notAfter).toISOString()}`,
      `Nothing that it signed is trusted any more: ${START_OVER}`,
    );
  }

  #notYetValid(credential: SigningCredential): StateFolderError {
    return new StateFolderError(
      "StateNotYetValid",
      this.#options.folder.pathOf(credential.role === "root" ? ROOT : INTERMEDIATE),
      `is valid only from ${new Date(credential.notBefore).toISOString()}, which is in the future`,
      "Set this machine's clock",
    );
  }

  #expect(condition: boolean, otherwise: string): asserts condition {
    if (!condition) throw new CertificateError("RotationOutOfOrder", otherwise);
  }
}
