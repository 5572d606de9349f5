import type { CertificateAuthority, IssuedCertificate } from "./authority.ts";
import { type Clock, MINUTE, systemClock } from "./clock.ts";
import { type Randomness, systemRandomness } from "./randomness.ts";
import { rotationDue } from "./rotation.ts";
import { Schedule } from "./schedule.ts";

export interface ServingCertificateOptions {
  readonly authority: CertificateAuthority;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** The names by which sidecars reach the control plane. */
  readonly dnsNames: readonly string[];
  /** Told when no new certificate could be issued; the old one serves on and another try follows in a minute. */
  readonly onFailure: (failure: unknown) => void;
  readonly clock?: Clock;
  readonly randomness?: Randomness;
}

/** The certificate with which the control plane serves xDS. It lives as long as a leaf and is replaced at half of that. */
export class ServingCertificate {
  readonly #options: ServingCertificateOptions;
  readonly #clock: Clock;
  readonly #randomness: Randomness;
  readonly #schedule: Schedule;
  readonly #listeners = new Set<(certificate: IssuedCertificate) => void>();
  readonly #stopListening: () => void;
  #generation: string;
  #current: IssuedCertificate;
  #cancelNext: () => void;

  /** Issues the first one. Throws CertificateError. */
  constructor(options: ServingCertificateOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#randomness = options.randomness ?? systemRandomness;
    this.#schedule = new Schedule(this.#clock, options.onFailure);
    this.#generation = options.authority.generation;
    this.#current = this.#issue();
    this.#cancelNext = this.#planNext();
    this.#stopListening = options.authority.onChange(() => {
      if (options.authority.generation !== this.#generation) this.#replace();
    });
  }

  get current(): IssuedCertificate {
    return this.#current;
  }

  /** Calls with every new certificate, not with the current one. Returns what ends it. */
  onReplaced(listener: (certificate: IssuedCertificate) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#stopListening();
    this.#cancelNext();
  }

  #issue(): IssuedCertificate {
    const { authority, namespace, serviceAccount, dnsNames } = this.#options;
    this.#generation = authority.generation;
    return authority.issue({ trustDomain: authority.trustDomain, namespace, serviceAccount }, dnsNames);
  }

  #replace(): void {
    this.#cancelNext();
    try {
      this.#current = this.#issue();
      this.#cancelNext = this.#planNext();
    } catch (failure) {
      this.#cancelNext = this.#schedule.at(this.#clock.now() + MINUTE, () => this.#replace());
      this.#options.onFailure(failure);
      return;
    }
    for (const listener of this.#listeners) listener(this.#current);
  }

  #planNext(): () => void {
    return this.#schedule.at(rotationDue(this.#current, this.#randomness), () => this.#replace());
  }
}
