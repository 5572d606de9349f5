/**
 * Equality by content for what collections hold: primitives, arrays, plain objects (without prototype, of any realm, and
 * those of protobuf-es, whose prototypes are plain), maps, sets of primitives, dates and binary data. Instances of other
 * classes and functions are equal only to themselves, since their state may be private. Values must be trees.
 */
export function structurallyEqual(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one)) return Array.isArray(other) && arraysEqual(one, other);
  if (isPlain(one)) {
    return isPlain(other) && recordsEqual(one as Readonly<Record<string, unknown>>, other as Readonly<Record<string, unknown>>);
  }
  if (Object.getPrototypeOf(one) !== Object.getPrototypeOf(other)) return false;
  if (ArrayBuffer.isView(one)) return bytesEqual(one, other as ArrayBufferView);
  if (one instanceof Map) return mapsEqual(one, other as ReadonlyMap<unknown, unknown>);
  if (one instanceof Set) return setsEqual(one, other as ReadonlySet<unknown>);
  if (one instanceof Date) return Object.is(one.getTime(), (other as Date).getTime());
  return false;
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || prototype.constructor === Object || Object.getPrototypeOf(prototype) === null;
}

function arraysEqual(one: readonly unknown[], other: readonly unknown[]): boolean {
  if (one.length !== other.length) return false;
  for (let position = 0; position < one.length; position++) {
    if (!structurallyEqual(one[position], other[position])) return false;
  }
  return true;
}

function bytesEqual(one: ArrayBufferView, other: ArrayBufferView): boolean {
  if (one.byteLength !== other.byteLength) return false;
  const left = Buffer.from(one.buffer, one.byteOffset, one.byteLength);
  return left.equals(Buffer.from(other.buffer, other.byteOffset, other.byteLength));
}

function mapsEqual(one: ReadonlyMap<unknown, unknown>, other: ReadonlyMap<unknown, unknown>): boolean {
  if (one.size !== other.size) return false;
  for (const [key, value] of one) {
    if (!other.has(key) || !structurallyEqual(value, other.get(key))) return false;
  }
  return true;
}

function setsEqual(one: ReadonlySet<unknown>, other: ReadonlySet<unknown>): boolean {
  if (one.size !== other.size) return false;
  for (const member of one) if (!other.has(member)) return false;
  return true;
}

function recordsEqual(one: Readonly<Record<string, unknown>>, other: Readonly<Record<string, unknown>>): boolean {
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  for (const name of names) {
    if (!Object.hasOwn(other, name) || !structurallyEqual(one[name], other[name])) return false;
  }
  return true;
}
