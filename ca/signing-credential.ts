import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { certificatePem, type CertificateProfile, type DistinguishedName, keyIdentifier, signCertificate } from "./certificate.ts";
import { MINUTE } from "./clock.ts";
import type { Randomness } from "./randomness.ts";
import { corrupt, StateError } from "./state-error.ts";
import type { StateStore } from "./state-store.ts";

export type SigningRole = "root" | "intermediate";

/** A signing certificate with its key. The key stays a KeyObject, which shows nothing of itself to a log. */
export interface SigningCredential {
  readonly role: SigningRole;
  readonly certificate: X509Certificate;
  readonly certificatePem: string;
  readonly key: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
  readonly subject: DistinguishedName;
  /** Unix milliseconds. */
  readonly notBefore: number;
  /** Unix milliseconds. */
  readonly notAfter: number;
  /** SHA-256 of the certificate, lower-case hex. */
  readonly fingerprint: string;
}

/** How far certificates are backdated, for machines whose clock is behind: by five minutes, as Kubernetes' own signers assume, and what it takes to get there. */
export const BACKDATE = 6 * MINUTE;

const PROFILES: Readonly<Record<SigningRole, Omit<CertificateProfile & { kind: "authority" }, "permittedUriHost">>> = {
  root: { kind: "authority", pathLength: 1 },
  intermediate: { kind: "authority", pathLength: 0 },
};

export interface NewSigningCredential {
  readonly role: SigningRole;
  readonly trustDomain: string;
  /** Absent for a root, which signs itself. */
  readonly issuer?: SigningCredential;
  /** Unix milliseconds. */
  readonly now: number;
  /** Milliseconds; shortened so that it does not outlive its issuer. */
  readonly lifetime: number;
}

/** Makes a P-256 key and its certificate, as the text of one file: certificate, then key. */
export function makeSigningCredential({ role, trustDomain, issuer, now, lifetime }: NewSigningCredential, randomness: Randomness): string {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKey = pair.publicKey.export({ type: "spki", format: "der" });
  const subject = subjectOf(role, publicKey);
  const der = signCertificate(
    {
      profile: { ...PROFILES[role], permittedUriHost: role === "intermediate" ? trustDomain : undefined },
      subject,
      issuer: issuer?.subject ?? subject,
      publicKey,
      issuerPublicKey: issuer?.publicKey ?? publicKey,
      serial: serialNumber(randomness),
      notBefore: Math.max(now - BACKDATE, issuer?.notBefore ?? 0),
      notAfter: Math.min(now + lifetime, issuer?.notAfter ?? Infinity),
      names: [{ kind: "uri", uri: `spiffe://${trustDomain}` }],
    },
    issuer?.key ?? pair.privateKey,
  );
  return certificatePem(der) + pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** Reads what {@link makeSigningCredential} wrote and checks everything but its dates and its issuer. `name` is that of the part which held it. */
export function readSigningCredential(
  store: StateStore,
  name: string,
  content: string,
  role: SigningRole,
  trustDomain: string,
): SigningCredential {
  const [certificateText] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/.exec(content) ?? [];
  const [keyText] = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n/.exec(content) ?? [];
  if (certificateText === undefined || keyText === undefined) throw corrupt(store, name, "does not hold a certificate and its private key");
  const [certificate, key] = parse(store, name, certificateText, keyText);
  if (!certificate.checkPrivateKey(key)) {
    throw new StateError(
      "StateKeyMismatch",
      store.pathOf(name),
      "holds a private key that is not the one of its certificate",
      `${store.remedies.restore}, or ${store.remedies.startOver}`,
    );
  }
  const publicKey = certificate.publicKey.export({ type: "spki", format: "der" });
  const subject = subjectOf(role, publicKey);
  if (!certificate.ca || certificate.subject !== textOf(subject))
    throw corrupt(store, name, `does not hold a ${role} certificate that Seawall made`);
  const home = certificate.subjectAltName;
  if (home !== `URI:spiffe://${trustDomain}`) {
    throw new StateError(
      "StateTrustDomainMismatch",
      store.pathOf(name),
      `is of the mesh ${home ?? "without a name"}, and not of spiffe://${trustDomain}`,
      `The trust domain of a mesh cannot change: set it back in MeshConfig, or ${store.remedies.startOver}`,
    );
  }
  return {
    role,
    certificate,
    certificatePem: certificateText,
    key,
    publicKey,
    subject,
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
    fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}

/** Whether `issuer` signed `certificate`, by name, key identifier and signature. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** 128 bits, positive whatever they are: 126 of them random (RFC 5280 section 4.1.2.2). */
export function serialNumber(randomness: Randomness): Buffer {
  const bytes = randomness.bytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

/** Each key has a subject of its own: verifiers that try every authority of one name give up after a hundred signatures. */
function subjectOf(role: SigningRole, publicKey: Uint8Array): DistinguishedName & { kind: "authority" } {
  return { kind: "authority", commonName: `Seawall ${role} ${keyIdentifier(publicKey).toString("hex").slice(0, 16)}` };
}

function textOf({ commonName }: DistinguishedName & { kind: "authority" }): string {
  return `O=Seawall\nCN=${commonName}`;
}

function parse(store: StateStore, name: string, certificateText: string, keyText: string): [X509Certificate, KeyObject] {
  try {
    return [new X509Certificate(certificateText), createPrivateKey(keyText)];
  } catch (cause) {
    throw corrupt(store, name, "holds a certificate or private key that cannot be read", cause);
  }
}
