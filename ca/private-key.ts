import { inspect } from "node:util";

const REDACTED = "[private key]";

/** A private key as PKCS#8 PEM that shows itself only to who asks for it: not to JSON, a template string or a log. */
export class PrivateKey {
  readonly #pem: string;

  constructor(pem: string) {
    this.#pem = pem;
  }

  /** The PEM. Hand it to what needs it and keep no copy. */
  reveal(): string {
    return this.#pem;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
