import type { CertificateAuthority } from "./authority.ts";
import { type Clock, MINUTE, SECOND, systemClock } from "./clock.ts";
import type { CertificateSummary, LeafVersions } from "./leaf-version.ts";
import { type Randomness, systemRandomness } from "./randomness.ts";
import { halfLife, rotationDue } from "./rotation.ts";
import { Schedule } from "./schedule.ts";
import { BACKDATE } from "./signing-credential.ts";
import { type Identity, spiffeId } from "./spiffe.ts";

/** A certificate and its key, about to be written as an Envoy Secret. */
export interface SecretContent {
  readonly name: string;
  readonly version: string;
  /** The chain, leaf first. */
  readonly certificatePem: string;
  /** PKCS#8. Not to be kept or logged. */
  readonly keyPem: string;
}

export interface LeafSecretsOptions<Encoded> {
  readonly authority: CertificateAuthority;
  readonly versions: LeafVersions;
  /** Who a subscriber is, or undefined while that is not known: then it gets nothing until {@link LeafSecrets.identityChanged}. */
  readonly identityOf: (subscriber: string) => Identity | undefined;
  /** Writes what the xDS stream carries. */
  readonly encodeSecret: (secret: SecretContent) => Encoded;
  /** Told when no certificate could be issued or sent; another try follows. */
  readonly onFailure: (subscriber: string, failure: unknown) => void;
  readonly clock?: Clock;
  readonly randomness?: Randomness;
}

interface Subscription<Encoded> {
  readonly subscriber: string;
  readonly name: string;
  readonly knownVersion: string | undefined;
  readonly send: (resource: Encoded) => void;
  certificate: CertificateSummary | undefined;
  failures: number;
  cancelNext: (() => void) | undefined;
}

/** The one name under which every sidecar asks for its own certificate, so that clusters can be shared. */
export const LEAF_SECRET_NAME = "identity";

/** After another root took over, every leaf is replaced within this time. */
const REISSUE_SPREAD = MINUTE;
const RETRY = { first: SECOND, longest: MINUTE };

/**
 * Workload certificates over xDS (SDS): each stream gets its own leaf and key, the next one at half its life, and none
 * when it reconnects with one that is still good. Neither the key nor what was sent is kept.
 *
 * Has the shape of the delta server's PrivateResources.
 */
export class LeafSecrets<Encoded> {
  readonly typeUrl = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
  readonly #options: LeafSecretsOptions<Encoded>;
  readonly #clock: Clock;
  readonly #randomness: Randomness;
  readonly #schedule: Schedule;
  readonly #subscriptions = new Map<string, Set<Subscription<Encoded>>>();
  readonly #stopListening: () => void;
  #generation: string;
  #issued = 0;

  constructor(options: LeafSecretsOptions<Encoded>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#randomness = options.randomness ?? systemRandomness;
    this.#schedule = new Schedule(this.#clock, (failure) => options.onFailure("", failure));
    this.#generation = options.authority.generation;
    this.#stopListening = options.authority.onChange(() => this.#authorityChanged());
  }

  /** How many certificates have been issued to subscribers. */
  get issued(): number {
    return this.#issued;
  }

  handles(name: string): boolean {
    return name === LEAF_SECRET_NAME;
  }

  open(
    subscriber: string,
    name: string,
    knownVersion: string | undefined,
    send: (resource: Encoded) => void,
  ): { readonly close: () => void } {
    const subscription: Subscription<Encoded> = {
      ...{ subscriber, name, knownVersion, send },
      certificate: undefined,
      failures: 0,
      cancelNext: undefined,
    };
    const ofSubscriber = this.#subscriptions.get(subscriber) ?? new Set();
    this.#subscriptions.set(subscriber, ofSubscriber.add(subscription));
    const identity = this.#options.identityOf(subscriber);
    if (identity !== undefined) this.#resume(subscription, identity);
    return {
      close: () => {
        subscription.cancelNext?.();
        ofSubscriber.delete(subscription);
        if (ofSubscriber.size === 0 && this.#subscriptions.get(subscriber) === ofSubscriber) this.#subscriptions.delete(subscriber);
      },
    };
  }

  /** To be called when what `identityOf` says of a subscriber may have changed. */
  identityChanged(subscriber: string): void {
    const identity = this.#options.identityOf(subscriber);
    if (identity === undefined) return;
    for (const subscription of this.#subscriptions.get(subscriber) ?? []) {
      const { certificate, cancelNext } = subscription;
      if (certificate === undefined) this.#resume(subscription, identity);
      else if (certificate.spiffeId !== spiffeId(identity) || cancelNext === undefined) this.#issue(subscription);
    }
  }

  /** The certificate that a connected subscriber has, and nothing of its key. The newest, where several streams are open. */
  certificateOf(subscriber: string): CertificateSummary | undefined {
    let newest: CertificateSummary | undefined;
    for (const { certificate } of this.#subscriptions.get(subscriber) ?? []) {
      if (certificate !== undefined && (newest === undefined || certificate.notBefore >= newest.notBefore)) newest = certificate;
    }
    return newest;
  }

  /** Issues no more. Subscriptions may be closed before or after. */
  close(): void {
    this.#stopListening();
    for (const subscription of this.#all()) subscription.cancelNext?.();
  }

  #resume(subscription: Subscription<Encoded>, identity: Identity): void {
    const { authority, versions } = this.#options;
    const { knownVersion } = subscription;
    const known = knownVersion === undefined ? undefined : versions.read(knownVersion, spiffeId(identity), authority.generation);
    if (known !== undefined && this.#isGood(known)) this.#hold(subscription, known);
    else this.#issue(subscription);
  }

  #isGood(certificate: CertificateSummary): boolean {
    const now = this.#clock.now();
    // One that has more time left than a new one would get was issued before the lifetime was shortened, or by a replica
    // whose clock is ahead: that is no reason.
    return now < halfLife(certificate) && certificate.notAfter - now <= this.#options.authority.leafLifetime + BACKDATE;
  }

  #issue(subscription: Subscription<Encoded>): void {
    subscription.cancelNext?.();
    subscription.cancelNext = undefined;
    const { authority, versions, identityOf, encodeSecret, onFailure } = this.#options;
    const { subscriber, name } = subscription;
    try {
      const identity = identityOf(subscriber);
      if (identity === undefined) return;
      const certificate = authority.issue(identity);
      this.#issued++;
      const version = versions.write(certificate, authority.generation);
      subscription.send(encodeSecret({ name, version, certificatePem: certificate.chainPem, keyPem: certificate.key.reveal() }));
      const { spiffeId: id, serial, notBefore, notAfter } = certificate;
      subscription.failures = 0;
      this.#hold(subscription, { spiffeId: id, serial, notBefore, notAfter });
    } catch (failure) {
      const wait = Math.min(RETRY.first * 2 ** subscription.failures++, RETRY.longest) * (0.5 + this.#randomness.fraction() / 2);
      this.#later(subscription, this.#clock.now() + wait);
      onFailure(subscriber, failure);
    }
  }

  #hold(subscription: Subscription<Encoded>, certificate: CertificateSummary): void {
    subscription.certificate = certificate;
    this.#later(subscription, rotationDue(certificate, this.#randomness));
  }

  #later(subscription: Subscription<Encoded>, due: number): void {
    subscription.cancelNext?.();
    subscription.cancelNext = this.#schedule.at(due, () => this.#issue(subscription));
  }

  #authorityChanged(): void {
    const { generation } = this.#options.authority;
    if (generation === this.#generation) return;
    this.#generation = generation;
    const now = this.#clock.now();
    for (const subscription of this.#all()) {
      if (subscription.certificate !== undefined) this.#later(subscription, now + this.#randomness.fraction() * REISSUE_SPREAD);
    }
  }

  *#all(): Generator<Subscription<Encoded>> {
    for (const ofSubscriber of this.#subscriptions.values()) yield* ofSubscriber;
  }
}
