/**
 * The root by which the API server knows the webhooks: written into their registrations, and kept there.
 *
 * Every replica looks before it calls itself ready, and again and again. What it finds that shares no root with its own trust,
 * be it nothing at all, makes every call of the webhooks fail: whoever sees that mends it, for there may be no leader yet.
 * All else is the leader's alone. So replicas do not write against each other while the root is rotated, when one of them
 * knows of two roots and another of one still.
 */
import type { CertificateAuthority } from "../../ca/authority.ts";
import { type Clock, SECOND, systemClock } from "../../ca/clock.ts";
import { type Randomness, systemRandomness } from "../../ca/randomness.ts";
import type { Leadership } from "../cluster-state/leadership.ts";
import type { Log } from "../control-plane-options.ts";
import { type KubernetesApi, KubernetesApiError } from "../kubernetes/api.ts";

export interface WebhookTrustOptions {
  readonly api: KubernetesApi;
  readonly authority: Pick<CertificateAuthority, "trust" | "onChange">;
  readonly leadership: Leadership;
  readonly log: Log;
  readonly clock?: Clock;
  readonly randomness?: Randomness;
}

/** Both registrations have this name. */
const REGISTRATION = "seawall";
const REGISTRATIONS = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"].map(
  (resource) => `/apis/admissionregistration.k8s.io/v1/${resource}/${REGISTRATION}`,
);

/** A registration that somebody replaced refuses everything until it is looked at again. */
const LOOK_AGAIN = 15 * SECOND;
/** Sooner while one is not there, or could not be written: it may come at any moment. */
const RETRY = SECOND;

interface Registration {
  readonly metadata: { readonly resourceVersion: string };
  readonly webhooks?: readonly { readonly clientConfig: { readonly caBundle?: string } }[];
}

export class WebhookTrust {
  /** Resolves when every registration has been looked at and what had to be was written, or could not be. */
  readonly looked: Promise<void>;
  readonly #options: WebhookTrustOptions;
  readonly #clock: Clock;
  readonly #randomness: Randomness;
  readonly #stop: (() => void)[];
  #cancelNext: () => void = () => undefined;
  #working = false;
  #again = false;
  #closed = false;
  /** Looks in a row after which something was missing. */
  #incomplete = 0;
  #failing: string | undefined;

  constructor(options: WebhookTrustOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#randomness = options.randomness ?? systemRandomness;
    this.#stop = [options.authority.onChange(() => void this.#look()), options.leadership.onChange(() => void this.#look())];
    this.looked = this.#look();
  }

  close(): void {
    this.#closed = true;
    this.#cancelNext();
    for (const stop of this.#stop) stop();
  }

  async #look(): Promise<void> {
    this.#again = true;
    if (this.#working) return;
    this.#working = true;
    this.#cancelNext();
    let isComplete = true;
    while (this.#again && !this.#isClosed()) {
      this.#again = false;
      isComplete = true;
      for (const path of REGISTRATIONS) isComplete = (await this.#keep(path)) && isComplete;
    }
    this.#working = false;
    if (this.#isClosed()) return;
    this.#incomplete = isComplete ? 0 : this.#incomplete + 1;
    const wait = isComplete ? LOOK_AGAIN : Math.min(RETRY * 2 ** (this.#incomplete - 1), LOOK_AGAIN);
    this.#cancelNext = this.#clock.after(wait * (0.5 + this.#randomness.fraction() / 2), () => void this.#look());
  }

  /** Whether the registration is there and says what it has to. One that is not there is no mistake: not everybody wants both. */
  async #keep(path: string): Promise<boolean> {
    try {
      const { metadata, webhooks = [] } = (await this.#options.api.get({ path })) as Registration;
      const { pem } = this.#options.authority.trust;
      const value = Buffer.from(pem).toString("base64");
      const writes = webhooks.flatMap(({ clientConfig: { caBundle } }, index) =>
        this.#isToBeWritten(caBundle, value, pem) ? [{ op: "add", path: `/webhooks/${index}/clientConfig/caBundle`, value }] : [],
      );
      if (writes.length > 0) {
        // Over what was read alone: another replica may know more by now, and somebody may have changed the list.
        const unchanged = { op: "test", path: "/metadata/resourceVersion", value: metadata.resourceVersion };
        await this.#options.api.patch({ path }, "application/json-patch+json", [unchanged, ...writes]);
      }
      this.#failing = undefined;
      return true;
    } catch (failure) {
      this.#complain(path, failure);
      return false;
    }
  }

  #isToBeWritten(caBundle: string | undefined, wanted: string, pem: string): boolean {
    if (caBundle === wanted) return false;
    return this.#options.leadership.leading || !sharesRoot(Buffer.from(caBundle ?? "", "base64").toString("utf8"), pem);
  }

  #complain(path: string, failure: unknown): void {
    if (this.#isClosed()) return;
    const status = failure instanceof KubernetesApiError ? failure.status : undefined;
    // Overtaken by another replica, most likely: the next look tells.
    if (status === 404 || (status === 422 && this.#incomplete === 0)) return;
    const message = failure instanceof Error ? failure.message : String(failure);
    if (message !== this.#failing) this.#options.log("warn", `the trust of the webhooks could not be kept at ${path}: ${message}`);
    this.#failing = message;
  }

  #isClosed(): boolean {
    return this.#closed;
  }
}

/** Whether any certificate is in both. */
function sharesRoot(one: string, other: string): boolean {
  const roots = new Set(certificatesOf(one));
  return certificatesOf(other).some((root) => roots.has(root));
}

function certificatesOf(pem: string): readonly string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}
