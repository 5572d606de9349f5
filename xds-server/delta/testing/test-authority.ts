import { CertificateAuthority } from "../../../ca/authority.ts";
import { StateFolder } from "../../../ca/state-folder.ts";
import { temporaryFolder } from "../../../ca/testing/temporary-folder.ts";
import type { ServerCertificate } from "../transport.ts";

/** A root for one test, and server certificates for `localhost` from it. */
export class TestAuthority {
  readonly #authority: CertificateAuthority;

  constructor() {
    using folder = temporaryFolder();
    this.#authority = new CertificateAuthority({ store: StateFolder.open(folder.path, "write"), trustDomain: "cluster.local" });
  }

  /** PEM. */
  get root(): string {
    return this.#authority.trust.pem;
  }

  certificate(serviceAccount = "seawall"): ServerCertificate {
    const identity = { trustDomain: "cluster.local", namespace: "seawall", serviceAccount };
    const issued = this.#authority.issue(identity, ["localhost"]);
    return { chain: issued.chainPem, privateKey: issued.key.reveal() };
  }
}
