/**
 * The mesh's certificate authority.
 *
 * A root (about ten years) signs an intermediate (about a year), which signs what workloads and the control plane
 * show each other (a day). All keys are P-256; the first two stand in the state (state-store.ts,
 * authority-state.ts), the others are kept by nobody. A workload gets its certificate over its own xDS stream
 * (leaf-secrets.ts); the control plane serves with one of the same kind (serving-certificate.ts). How a sidecar proves
 * which pod it belongs to is apart from all of this: join-token.ts and token-authenticator.ts.
 */
import { createHash, generateKeyPairSync } from "node:crypto";
import { AuthorityState } from "./authority-state.ts";
import { CertificateError } from "./certificate-error.ts";
import { certificatePem, type SubjectAlternativeName, signCertificate } from "./certificate.ts";
import { type Clock, DAY, MINUTE, SECOND, systemClock } from "./clock.ts";
import { PrivateKey } from "./private-key.ts";
import { type Randomness, systemRandomness } from "./randomness.ts";
import { BACKDATE, serialNumber } from "./signing-credential.ts";
import { type Identity, identityProblem, spiffeId, trustDomainProblem } from "./spiffe.ts";
import { StateError } from "./state-error.ts";
import type { StateStore } from "./state-store.ts";

/** A certificate that was issued for a workload or for the control plane. */
export interface IssuedCertificate {
  readonly spiffeId: string;
  /** Lower-case hex. */
  readonly serial: string;
  /** Unix milliseconds, whole seconds. */
  readonly notBefore: number;
  /** Unix milliseconds, whole seconds. */
  readonly notAfter: number;
  /** The leaf, then the intermediate. */
  readonly chainPem: string;
  readonly key: PrivateKey;
}

/** What verifiers trust. */
export interface TrustBundle {
  /** Every trusted root, the one that signs now first. */
  readonly pem: string;
  /** A hash of the set of roots: equal bundles have an equal version after any restart. */
  readonly version: string;
}

export interface AuthorityOptions {
  readonly store: StateStore;
  readonly trustDomain: string;
  /**
   * Milliseconds that a leaf is valid for; a day when absent. There is no revocation, so it bounds the use of a stolen
   * key; half of it is also how long the control plane may be away before certificates run out.
   */
  readonly leafLifetime?: number;
  /** Milliseconds; at least 6 leaf lifetimes; 365 days when absent. */
  readonly intermediateLifetime?: number;
  /** Milliseconds; at least the intermediate's; 3,650 days when absent. */
  readonly rootLifetime?: number;
  readonly clock?: Clock;
  readonly randomness?: Randomness;
  /**
   * Who replaces the intermediate in time: this authority, whenever it is used, or somebody else who then calls
   * {@link CertificateAuthority.follow}. `"self"` when absent.
   */
  readonly renewal?: "self" | "followed";
  /** Told when the intermediate could not be replaced. The old one serves on, and another try follows within a minute of use. */
  readonly onRenewalFailure?: (failure: unknown) => void;
}

/** A leaf needs the intermediate for its whole life, and a rotation takes a few of them. */
const LEAF_LIVES_PER_INTERMEDIATE = 6;
const SHORTEST_LEAF = SECOND;
const DNS_NAME = /^(?=.{1,253}$)(?:\*\.)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

export class CertificateAuthority {
  readonly trustDomain: string;
  /** Milliseconds. */
  readonly leafLifetime: number;
  readonly #clock: Clock;
  readonly #randomness: Randomness;
  readonly #lifetimes: { readonly rootLifetime: number; readonly intermediateLifetime: number };
  readonly #renewal: "self" | "followed";
  #state: AuthorityState;
  readonly #onRenewalFailure: (failure: unknown) => void;
  readonly #listeners = new Set<() => void>();
  #nextRenewalAttempt = 0;
  #trust: TrustBundle;

  /** Opens the authority of a state, or makes it. Throws StateError, or CertificateError for options that make no sense. */
  constructor(options: AuthorityOptions) {
    const { leafLifetime = DAY, intermediateLifetime = 365 * DAY, rootLifetime = 3650 * DAY } = options;
    const problem = trustDomainProblem(options.trustDomain);
    if (problem !== undefined) throw new CertificateError("InvalidTrustDomain", problem);
    refuseLifetimes(leafLifetime, intermediateLifetime, rootLifetime);
    this.trustDomain = options.trustDomain;
    this.leafLifetime = leafLifetime;
    this.#clock = options.clock ?? systemClock;
    this.#randomness = options.randomness ?? systemRandomness;
    this.#onRenewalFailure = options.onRenewalFailure ?? (() => undefined);
    this.#lifetimes = { rootLifetime, intermediateLifetime };
    this.#renewal = options.renewal ?? "self";
    this.#state = this.#open(options.store);
    this.#trust = bundleOf(this.#state);
    this.#renewWhenDue();
  }

  get trust(): TrustBundle {
    return this.#trust;
  }

  /** Names the root that signs now: it changes when a rotation puts another in its place, and then every leaf is to be replaced. */
  get generation(): string {
    return this.#state.root.fingerprint;
  }

  /** Unix milliseconds, for status and alerts. */
  get expiry(): { readonly root: number; readonly intermediate: number } {
    return { root: this.#state.root.notAfter, intermediate: this.#state.intermediate.notAfter };
  }

  /**
   * Issues an X.509-SVID with a new P-256 key: its one URI name is the SPIFFE ID, `dnsNames` come beside it. It never
   * outlives the chain above it. Throws CertificateError.
   */
  issue(identity: Identity, dnsNames: readonly string[] = []): IssuedCertificate {
    this.#refuseIdentity(identity);
    this.#renewWhenDue();
    const now = this.#clock.now();
    const issuer = this.#state.intermediate;
    const notBefore = wholeSeconds(now) - BACKDATE;
    const notAfter = wholeSeconds(Math.min(now + this.leafLifetime, issuer.notAfter, this.#state.root.notAfter));
    if (notAfter <= now)
      throw new CertificateError("ChainExpired", `the signing certificate expired on ${new Date(notAfter).toISOString()}`);
    const pair = generateKeyPairSync("ec", {
      namedCurve: "P-256",
      publicKeyEncoding: { type: "spki", format: "der" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    const id = spiffeId(identity);
    const serial = serialNumber(this.#randomness);
    const der = signCertificate(
      {
        profile: { kind: "leaf" },
        subject: { kind: "empty" },
        issuer: issuer.subject,
        publicKey: pair.publicKey,
        issuerPublicKey: issuer.publicKey,
        serial,
        notBefore,
        notAfter,
        names: [{ kind: "uri", uri: id }, ...dnsNames.map(dnsName)],
      },
      issuer.key,
    );
    return {
      spiffeId: id,
      serial: serial.toString("hex"),
      notBefore,
      notAfter,
      chainPem: certificatePem(der) + issuer.certificatePem,
      key: new PrivateKey(pair.privateKey),
    };
  }

  /** First step of a root's rotation: publishes a new root beside the old one. Then wait until every proxy has acknowledged the bundle. */
  prepareRoot(): void {
    this.#state.prepareRoot();
    this.#changed();
  }

  /** Second step: the new root signs. Then wait until every leaf has been replaced and the old ones have run out. */
  activateRoot(): void {
    this.#state.activateRoot();
    this.#changed();
  }

  /** Takes the last step of a rotation back; not possible after the last one. */
  revertRoot(): void {
    this.#state.revertRoot();
    this.#changed();
  }

  /** Last step: the old root is trusted no more. */
  dropPreviousRoot(): void {
    this.#state.dropPreviousRoot();
    this.#changed();
  }

  /**
   * Takes over a state that somebody else changed, where this authority only follows. Throws StateError, and changes
   * nothing, when it cannot be used, or when its root is none that is trusted here: verifiers would not know it yet.
   */
  follow(store: StateStore): void {
    const state = this.#open(store);
    const trusted = new Set(this.#state.trusted.map((root) => root.fingerprint));
    if (!trusted.has(state.root.fingerprint)) {
      throw new StateError(
        "StateReplaced",
        store.pathOf("root.pem"),
        "is the root of another mesh identity than the one in use",
        `${store.remedies.restore}, or restart every control plane, and then every sidecar, to change over to it`,
      );
    }
    const before = [this.#trust.version, this.generation].join();
    this.#state = state;
    if ([bundleOf(state).version, this.generation].join() !== before) this.#changed();
  }

  /** Calls after every change of {@link trust} or {@link generation}. Returns what ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Unix milliseconds from which the intermediate should be replaced; Infinity when it lives as long as its root. */
  get renewalDue(): number {
    return this.#state.renewIntermediateAt;
  }

  #open(store: StateStore): AuthorityState {
    return new AuthorityState({
      ...this.#lifetimes,
      store,
      trustDomain: this.trustDomain,
      clock: this.#clock,
      randomness: this.#randomness,
    });
  }

  #changed(): void {
    this.#trust = bundleOf(this.#state);
    for (const listener of this.#listeners) listener();
  }

  #renewWhenDue(): void {
    if (this.#renewal === "followed") return;
    const now = this.#clock.now();
    if (now < this.#state.renewIntermediateAt || now < this.#nextRenewalAttempt) return;
    this.#nextRenewalAttempt = now + MINUTE;
    try {
      this.#state.renewIntermediate();
    } catch (failure) {
      this.#onRenewalFailure(failure);
    }
  }

  #refuseIdentity(identity: Identity): void {
    const problem =
      identity.trustDomain === this.trustDomain
        ? identityProblem(identity)
        : `the trust domain ${JSON.stringify(identity.trustDomain)} is not this mesh's, ${this.trustDomain}`;
    if (problem !== undefined) throw new CertificateError("InvalidIdentity", problem);
  }
}

function refuseLifetimes(leaf: number, intermediate: number, root: number): void {
  if (!(leaf >= SHORTEST_LEAF)) throw new CertificateError("InvalidLifetime", "a leaf must be valid for at least a second");
  if (!(intermediate >= leaf * LEAF_LIVES_PER_INTERMEDIATE)) {
    throw new CertificateError(
      "InvalidLifetime",
      `the intermediate must live at least ${LEAF_LIVES_PER_INTERMEDIATE} times as long as a leaf`,
    );
  }
  if (!(root >= intermediate)) throw new CertificateError("InvalidLifetime", "the root must live at least as long as the intermediate");
}

function dnsName(name: string): SubjectAlternativeName {
  if (!DNS_NAME.test(name)) throw new CertificateError("InvalidDnsName", `${JSON.stringify(name)} is not a DNS name in lower case`);
  return { kind: "dns", name };
}

function bundleOf(state: AuthorityState): TrustBundle {
  const fingerprints = state.trusted.map((root) => root.fingerprint).sort();
  return {
    pem: state.trusted.map((root) => root.certificatePem).join(""),
    version: createHash("sha256").update(fingerprints.join("\n")).digest("hex").slice(0, 32),
  };
}

function wholeSeconds(unixMilliseconds: number): number {
  return Math.floor(unixMilliseconds / 1000) * 1000;
}
