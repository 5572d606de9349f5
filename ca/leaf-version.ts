import { createHmac, timingSafeEqual } from "node:crypto";
import type { IssuedCertificate } from "./authority.ts";
import { corrupt } from "./state-error.ts";
import type { StateStore } from "./state-store.ts";

/** What is known of a certificate without having it. */
export type CertificateSummary = Pick<IssuedCertificate, "spiffeId" | "serial" | "notBefore" | "notAfter">;

const FILE = "leaf-version.key";
const KEY_BYTES = 32;
const VERSION = /^([1-9]\d{0,11})-([1-9]\d{0,11})-([0-9a-f]{32})-([A-Za-z0-9_-]{43})$/;

/**
 * Versions of leaf certificates that a control plane recognizes as its own after a restart, although it keeps none of
 * them: what the certificate is (dates in Unix seconds and serial) and an HMAC over that, the identity and the root.
 */
export class LeafVersions {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    this.#key = key;
  }

  /** With the secret of the state, which is made where there is none. Throws StateFolderError. */
  static open(store: StateStore, bytes: (count: number) => Buffer): LeafVersions {
    const text = store.readOrCreate(FILE, () => `${bytes(KEY_BYTES).toString("base64url")}\n`);
    const key = Buffer.from(text.trim(), "base64url");
    if (key.length !== KEY_BYTES || `${key.toString("base64url")}\n` !== text)
      throw corrupt(store, FILE, `does not hold ${KEY_BYTES} bytes in base64url`);
    return new LeafVersions(key);
  }

  /** `generation` names the root that the certificate leads to. */
  write(certificate: CertificateSummary, generation: string): string {
    const { notBefore, notAfter, serial } = certificate;
    return `${notBefore / 1000}-${notAfter / 1000}-${serial}-${this.#mac(certificate, generation).toString("base64url")}`;
  }

  /** The certificate that a version stands for, if this mesh issued it for this identity under this root. */
  read(version: string, spiffeId: string, generation: string): CertificateSummary | undefined {
    const [, notBefore, notAfter, serial, mac] = VERSION.exec(version) ?? [];
    if (notBefore === undefined || notAfter === undefined || serial === undefined || mac === undefined) return undefined;
    const certificate = { spiffeId, serial, notBefore: Number(notBefore) * 1000, notAfter: Number(notAfter) * 1000 };
    return timingSafeEqual(Buffer.from(mac, "base64url"), this.#mac(certificate, generation)) ? certificate : undefined;
  }

  #mac({ spiffeId, serial, notBefore, notAfter }: CertificateSummary, generation: string): Buffer {
    return createHmac("sha256", this.#key)
      .update(JSON.stringify([spiffeId, serial, notBefore, notAfter, generation]))
      .digest();
  }
}
