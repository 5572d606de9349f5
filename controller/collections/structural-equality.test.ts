import { runInNewContext } from "node:vm";
import { describe, expect, it } from "@jest/globals";
import { structurallyEqual } from "./structural-equality.ts";

class Sealed {
  readonly #secret: number;
  constructor(secret: number) {
    this.#secret = secret;
  }
  reveal(): number {
    return this.#secret;
  }
}

/** Each builds a new value every time; no two of them are equal. */
const distinct: readonly (() => unknown)[] = [
  () => undefined,
  () => null,
  () => false,
  () => 0,
  () => -0,
  () => NaN,
  () => "",
  () => "0",
  () => 0n,
  () => [],
  () => [undefined],
  () => [[], {}],
  () => ({}),
  () => ({ a: undefined }),
  () => ({ a: 1, b: [{ c: "d" }] }),
  () => ({ a: 1, b: [{ c: "e" }] }),
  () => ({ b: undefined }),
  () => ({ a: 1 }),
  () => new Map(),
  () => new Map([["a", { b: 1 }]]),
  () => new Map([["a", { b: 2 }]]),
  () => new Map([["b", { b: 1 }]]),
  () => new Set(),
  () => new Set(["a"]),
  () => new Set(["b"]),
  () => new Date(0),
  () => new Date(1),
  () => new Uint8Array([1, 2]),
  () => new Uint8Array([1, 3]),
  () => new Uint8Array([1, 2, 3]),
  () => new Uint16Array([1]),
];

describe("structural equality", () => {
  it("holds between values of the same content and of no other", () => {
    for (const [row, one] of distinct.entries()) {
      for (const [column, other] of distinct.entries()) {
        const left = one();
        const right = other();
        expect({ left, right, equal: structurallyEqual(left, right) }).toEqual({ left, right, equal: row === column });
      }
    }
  });

  it("does not depend on the order of keys", () => {
    expect(structurallyEqual({ a: 1, b: 2 }, { b: 2, a: 1 })).toBe(true);
  });

  it("does not depend on the realm or the absence of a prototype", () => {
    const bare = Object.assign(Object.create(null) as object, { a: { b: 1 } });
    expect(structurallyEqual(bare, { a: { b: 1 } })).toBe(true);
    expect(structurallyEqual({ a: { b: 1 } }, runInNewContext("({ a: { b: 1 } })"))).toBe(true);
    expect(structurallyEqual(bare, { a: { b: 2 } })).toBe(false);
    expect(structurallyEqual({}, [])).toBe(false);
  });

  it("looks only at its part of a shared buffer", () => {
    const bytes = new Uint8Array([9, 1, 2, 9]);
    expect(structurallyEqual(bytes.subarray(1, 3), new Uint8Array([1, 2]))).toBe(true);
  });

  it("takes what may have private state to be equal to itself only", () => {
    const sealed = new Sealed(1);
    expect(structurallyEqual(sealed, sealed)).toBe(true);
    expect(structurallyEqual(sealed, new Sealed(sealed.reveal()))).toBe(false);
    expect(structurallyEqual({ of: () => 1 }, { of: () => 1 })).toBe(false);
  });
});
