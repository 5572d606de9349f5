import { createHash, type KeyObject, sign } from "node:crypto";
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  setOf,
  time,
  utf8String,
} from "./der.ts";

/** A name on a certificate (RFC 5280 section 4.2.1.6). */
export type SubjectAlternativeName = { readonly kind: "uri"; readonly uri: string } | { readonly kind: "dns"; readonly name: string };

/** The common name of a signing certificate; empty for a leaf, whose only names are its alternative ones. */
export type DistinguishedName = { readonly kind: "empty" } | { readonly kind: "authority"; readonly commonName: string };

export type CertificateProfile =
  | {
      readonly kind: "authority";
      /** How many more signing certificates may follow below this one. */
      readonly pathLength: number;
      /** The only host that URI names below this certificate may have. */
      readonly permittedUriHost: string | undefined;
    }
  | { readonly kind: "leaf" };

export interface CertificateContent {
  readonly profile: CertificateProfile;
  readonly subject: DistinguishedName;
  readonly issuer: DistinguishedName;
  /** SubjectPublicKeyInfo of a P-256 key, DER. */
  readonly publicKey: Uint8Array;
  /** The issuer's SubjectPublicKeyInfo, DER; for a root its own. */
  readonly issuerPublicKey: Uint8Array;
  /** Big-endian, positive, at most 20 bytes. */
  readonly serial: Uint8Array;
  /** Unix milliseconds; certificates know whole seconds. */
  readonly notBefore: number;
  /** Unix milliseconds. */
  readonly notAfter: number;
  readonly names: readonly SubjectAlternativeName[];
}

const ORGANIZATION = "Seawall";
const ECDSA_WITH_SHA256 = sequence(objectIdentifier("1.2.840.10045.4.3.2"));
const VERSION_3 = explicit(0, integer(Buffer.of(2)));
const COMMON_NAME = objectIdentifier("2.5.4.3");
const ORGANIZATION_NAME = objectIdentifier("2.5.4.10");
const SUBJECT_KEY_IDENTIFIER = objectIdentifier("2.5.29.14");
const KEY_USAGE = objectIdentifier("2.5.29.15");
const SUBJECT_ALTERNATIVE_NAME = objectIdentifier("2.5.29.17");
const BASIC_CONSTRAINTS = objectIdentifier("2.5.29.19");
const NAME_CONSTRAINTS = objectIdentifier("2.5.29.30");
const AUTHORITY_KEY_IDENTIFIER = objectIdentifier("2.5.29.35");
const EXTENDED_KEY_USAGE = objectIdentifier("2.5.29.37");
const SERVER_AND_CLIENT = sequence(objectIdentifier("1.3.6.1.5.5.7.3.1"), objectIdentifier("1.3.6.1.5.5.7.3.2"));
const DIGITAL_SIGNATURE = bitString(Buffer.of(0x80), 7);
const CERTIFICATE_AND_CRL_SIGNING = bitString(Buffer.of(0x06), 1);
/** The uncompressed point that ends the SubjectPublicKeyInfo of a P-256 key. */
const POINT_BYTES = 65;

/** An X.509 v3 certificate (RFC 5280), signed with ECDSA on SHA-256 by the issuer's P-256 key. Returns DER. */
export function signCertificate(content: CertificateContent, issuerKey: KeyObject): Buffer {
  const toBeSigned = sequence(
    VERSION_3,
    integer(content.serial),
    ECDSA_WITH_SHA256,
    nameOf(content.issuer),
    sequence(time(content.notBefore), time(content.notAfter)),
    nameOf(content.subject),
    content.publicKey,
    explicit(3, sequence(...extensionsOf(content))),
  );
  return sequence(toBeSigned, ECDSA_WITH_SHA256, bitString(sign("sha256", toBeSigned, issuerKey)));
}

/** Names a key by its content: RFC 7093 method 1, the first 160 bits of the SHA-256 of the public point. */
export function keyIdentifier(publicKey: Uint8Array): Buffer {
  return createHash("sha256").update(publicKey.subarray(-POINT_BYTES)).digest().subarray(0, 20);
}

/** DER as PEM (RFC 7468), ending in a newline. */
export function certificatePem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function extensionsOf({ profile, subject, publicKey, issuerPublicKey, names }: CertificateContent): Buffer[] {
  const authority = profile.kind === "authority";
  const extensions = [
    extension(BASIC_CONSTRAINTS, authority ? sequence(boolean(true), integer(Buffer.of(profile.pathLength))) : sequence(), "critical"),
    extension(KEY_USAGE, authority ? CERTIFICATE_AND_CRL_SIGNING : DIGITAL_SIGNATURE, "critical"),
    extension(SUBJECT_KEY_IDENTIFIER, octetString(keyIdentifier(publicKey))),
    extension(AUTHORITY_KEY_IDENTIFIER, sequence(implicit(0, keyIdentifier(issuerPublicKey)))),
  ];
  if (!authority) extensions.push(extension(EXTENDED_KEY_USAGE, SERVER_AND_CLIENT));
  if (names.length > 0) {
    // RFC 5280 section 4.2.1.6: critical when there is no subject, for then nothing else names the holder.
    extensions.push(
      extension(SUBJECT_ALTERNATIVE_NAME, sequence(...names.map(generalName)), subject.kind === "empty" ? "critical" : "plain"),
    );
  }
  if (authority && profile.permittedUriHost !== undefined) {
    const permitted = sequence(implicit(6, Buffer.from(profile.permittedUriHost, "ascii")));
    extensions.push(extension(NAME_CONSTRAINTS, sequence(explicit(0, permitted)), "critical"));
  }
  return extensions;
}

function extension(identifier: Uint8Array, value: Uint8Array, criticality: "critical" | "plain" = "plain"): Buffer {
  return criticality === "critical" ? sequence(identifier, boolean(true), octetString(value)) : sequence(identifier, octetString(value));
}

function generalName(name: SubjectAlternativeName): Buffer {
  switch (name.kind) {
    case "uri":
      return implicit(6, Buffer.from(name.uri, "ascii"));
    case "dns":
      return implicit(2, Buffer.from(name.name, "ascii"));
  }
}

function nameOf(name: DistinguishedName): Buffer {
  switch (name.kind) {
    case "empty":
      return sequence();
    case "authority":
      return sequence(attribute(ORGANIZATION_NAME, ORGANIZATION), attribute(COMMON_NAME, name.commonName));
  }
}

function attribute(type: Uint8Array, value: string): Buffer {
  return setOf(sequence(type, utf8String(value)));
}
