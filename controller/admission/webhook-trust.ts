/** The root by which the API server knows the webhooks: written into their registrations, and kept there. */
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

interface Registration {
  readonly webhooks?: readonly { readonly name: string; readonly clientConfig: { readonly caBundle?: string } }[];
}

/** Only the leader writes, and only what differs. A registration that is not there is no mistake: not everybody wants both. */
export class WebhookTrust {
  readonly #options: WebhookTrustOptions;
  readonly #clock: Clock;
  readonly #randomness: Randomness;
  readonly #stop: (() => void)[];
  #cancelNext: () => void = () => undefined;
  #working = false;
  #again = false;
  #closed = false;
  #failing: string | undefined;

  constructor(options: WebhookTrustOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#randomness = options.randomness ?? systemRandomness;
    this.#stop = [options.authority.onChange(() => void this.#look()), options.leadership.onChange(() => void this.#look())];
    void this.#look();
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
    while (this.#again && this.#options.leadership.leading && !this.#isClosed()) {
      this.#again = false;
      for (const path of REGISTRATIONS) await this.#keep(path);
    }
    this.#working = false;
    if (this.#isClosed() || !this.#options.leadership.leading) return;
    this.#cancelNext = this.#clock.after(LOOK_AGAIN * (0.5 + this.#randomness.fraction() / 2), () => void this.#look());
  }

  async #keep(path: string): Promise<void> {
    try {
      const { webhooks = [] } = (await this.#options.api.get({ path })) as Registration;
      const caBundle = Buffer.from(this.#options.authority.trust.pem).toString("base64");
      const patch = webhooks.flatMap(({ name, clientConfig }, index) =>
        clientConfig.caBundle === caBundle
          ? []
          : [
              // Somebody may have changed the list since it was read.
              { op: "test", path: `/webhooks/${index}/name`, value: name },
              { op: "add", path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle },
            ],
      );
      if (patch.length > 0) await this.#options.api.patch({ path }, "application/json-patch+json", patch);
      this.#failing = undefined;
    } catch (failure) {
      if (this.#isClosed() || (failure instanceof KubernetesApiError && failure.status === 404)) return;
      const message = failure instanceof Error ? failure.message : String(failure);
      if (message !== this.#failing) this.#options.log("warn", `the trust of the webhooks could not be kept at ${path}: ${message}`);
      this.#failing = message;
    }
  }

  #isClosed(): boolean {
    return this.#closed;
  }
}
