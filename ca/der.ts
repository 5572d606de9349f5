/**
 * The few ASN.1 types that a certificate is made of, encoded as DER (X.690). Encoding only: what others wrote is read
 * by node:crypto. A certificate library took 4 ms for each certificate where this and node:crypto take 0.2 ms, and a
 * mesh asks for a thousand at once when its control plane starts.
 */

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

function tagged(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), content]);
  if (length < 0x10000) return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), content]);
  throw new RangeError("a certificate field is longer than 65,535 bytes");
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return tagged(TAG.sequence, Buffer.concat(parts));
}

export function setOf(part: Uint8Array): Buffer {
  return tagged(TAG.set, part);
}

export function boolean(value: boolean): Buffer {
  return tagged(TAG.boolean, Buffer.of(value ? 0xff : 0));
}

/** A non-negative integer, given big-endian; leading zeros are dropped and a sign byte is added as DER demands. */
export function integer(magnitude: Uint8Array): Buffer {
  const first = magnitude.findIndex((byte) => byte !== 0);
  const minimal = first === -1 ? Buffer.of(0) : magnitude.subarray(first);
  return tagged(TAG.integer, (minimal[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), minimal]) : minimal);
}

export function bitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return tagged(TAG.bitString, Buffer.concat([Buffer.of(unusedBits), bytes]));
}

export function octetString(bytes: Uint8Array): Buffer {
  return tagged(TAG.octetString, bytes);
}

/** From the dotted form, such as `2.5.29.17`. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const base128 = [arc & 0x7f];
    for (let more = arc >>> 7; more > 0; more >>>= 7) base128.unshift((more & 0x7f) | 0x80);
    return base128;
  });
  return tagged(TAG.objectIdentifier, Buffer.from(bytes));
}

export function utf8String(text: string): Buffer {
  return tagged(TAG.utf8String, Buffer.from(text, "utf8"));
}

/** Whole seconds of a Unix time in milliseconds, as RFC 5280 section 4.1.2.5 wants it: UTCTime until 2049, GeneralizedTime after. */
export function time(unixMilliseconds: number): Buffer {
  const digits = new Date(unixMilliseconds).toISOString().replace(/[-:T]|\.\d+/g, "");
  return digits < "2050"
    ? tagged(TAG.utcTime, Buffer.from(digits.slice(2), "ascii"))
    : tagged(TAG.generalizedTime, Buffer.from(digits, "ascii"));
}

/** `[number]` around a complete element. */
export function explicit(number: number, content: Uint8Array): Buffer {
  return tagged(0xa0 | number, content);
}

/** `[number]` in place of a primitive element's own tag. */
export function implicit(number: number, content: Uint8Array): Buffer {
  return tagged(0x80 | number, content);
}
