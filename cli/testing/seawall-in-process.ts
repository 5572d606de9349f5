/** Runs a command within the test's own process: what a user would type, without the time that a process takes to start. */
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { runCommandLine } from "../command-line.ts";
import type { SeawallResult } from "./run-seawall.ts";

export async function seawall(args: readonly string[], { input = "" }: { readonly input?: string } = {}): Promise<SeawallResult> {
  const [output, messages] = [new PassThrough(), new PassThrough()];
  const read = Promise.all([text(output), text(messages)]);
  const code = await runCommandLine(args, {
    input: Readable.from([input]),
    output,
    messages,
    environment: {},
    interruption: () => new AbortController().signal,
  });
  output.end();
  messages.end();
  const [printed, said] = await read;
  return { code, output: printed, messages: said };
}
