import { readFile, stat } from "node:fs/promises";
import { CommandFailure, reasonOf } from "../command-failure.ts";

/** A join token as its bearer sees it: its claims are read, not verified, and only label and time things. */
export interface HeldToken {
  readonly token: string;
  readonly namespace: string;
  readonly pod: string;
  /** Unix milliseconds. */
  readonly issuedAt: number;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

/** Reads a file that holds a join token. Throws CommandFailure with the remedy. */
export async function readJoinTokenFile(path: string): Promise<HeldToken> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    throw CommandFailure.usage(`the token file ${path} cannot be read: ${reasonOf(code)}. Make one: ${MAKE_ONE}`, error);
  }
  const held = readJoinToken(content.trim());
  if (held === undefined) throw CommandFailure.usage(`${path} does not hold a join token. Make one: ${MAKE_ONE}`);
  return held;
}

export const MAKE_ONE = "seawall token create <namespace>/<pod> -w <file>";

/** Others on this machine could read the token, and be the pod. */
export async function isExposed(path: string): Promise<boolean> {
  const { mode } = await stat(path);
  return (mode & 0o077) !== 0;
}

/** Reads the claims of a join token; undefined when it is none. */
export function readJoinToken(token: string): HeldToken | undefined {
  const [header, payload, signature, ...rest] = token.split(".");
  if (!header || !payload || !signature || rest.length > 0 || /\s/.test(token)) return undefined;
  let claims: unknown;
  try {
    claims = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
  const { iat, exp, "seawall.dev": pod } = (claims ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof iat !== "number" || typeof exp !== "number" || typeof pod !== "object" || pod === null) return undefined;
  const { namespace, pod: name } = pod as Readonly<Record<string, unknown>>;
  if (typeof namespace !== "string" || typeof name !== "string") return undefined;
  return { token, namespace, pod: name, issuedAt: iat * 1_000, expiresAt: exp * 1_000 };
}
