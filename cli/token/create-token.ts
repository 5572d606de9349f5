import { createJoinToken } from "../../ca/join-token.ts";
import { replaceFile } from "../replace-file.ts";
import { print, type OutputFormat } from "../output-format.ts";
import { say, type Terminal } from "../terminal.ts";

export interface CreateTokenRequest {
  /** Milliseconds. */
  readonly ttl: number;
  readonly stateDir: string;
  /** The file that gets the token instead of the output. */
  readonly write?: string;
  readonly output: OutputFormat;
}

/** Makes a join token and prints it, or writes it to a file. Throws StateError and JoinTokenError. */
export async function createToken(
  { namespace, pod }: { readonly namespace: string; readonly pod: string },
  request: CreateTokenRequest,
  terminal: Terminal,
): Promise<void> {
  const { token, expiresAt } = await createJoinToken(request.stateDir, { namespace, pod, ttl: request.ttl });
  const expires = new Date(expiresAt).toISOString();
  if (request.write !== undefined) {
    await replaceFile(request.write, `${token}\n`);
    say(terminal, `the token of ${namespace}/${pod} is in ${request.write}; it expires at ${expires}`);
  }
  if (request.output === "table") {
    if (request.write === undefined) terminal.output.write(`${token}\n`);
    return;
  }
  const data = { namespace, pod, expiresAt: expires, ...(request.write === undefined ? { token } : { file: request.write }) };
  await print(terminal, request.output, { columns: [], rows: [], data });
}
