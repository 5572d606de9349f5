import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { CommandFailure } from "../command-failure.ts";
import { describeDuration } from "../duration.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { showHostPort } from "../host-port.ts";
import { findEnvoy } from "../sidecar/envoy-binary.ts";
import { say, type Terminal } from "../terminal.ts";
import { call } from "./call.ts";
import { type EditResult, editPolicy } from "./policy-edit.ts";
import { Shop } from "./shop.ts";
import { STEPS, type StepResult } from "./steps.ts";

export interface DemoOptions {
  /** Ends after the walk-through. */
  readonly once: boolean;
  /** Keeps everything in this folder, or, when true, in a temporary one. */
  readonly keepDir?: string | boolean;
  readonly envoy?: string;
}

/** Runs the example shop and walks through it. Returns whether every step went as it should. Throws CommandFailure. */
export async function runDemo(options: DemoOptions, terminal: Terminal): Promise<ExitCode> {
  const stopping = terminal.interruption();
  const envoy = await findEnvoy(options.envoy, terminal.environment);
  const folder = await demoFolder(options.keepDir);
  const keep = options.keepDir !== undefined && options.keepDir !== false;
  const started = Date.now();
  say(terminal, `Starting the example shop in ${folder}`);
  let failed = 0;
  try {
    await using shop = await Shop.open({ folder, envoy, say: (message) => say(terminal, message) }, stopping);
    say(terminal, `Everything runs after ${describeDuration(Date.now() - started)}.\n`);
    await untilTokensAreAccepted(shop);
    failed = await walkThrough(shop, terminal, stopping);
    failed += shop.failures.length;
    for (const failure of shop.failures) say(terminal, `FAILED: ${failure}`);
    if (!options.once && !stopping.aborted) {
      terminal.output.write(whatToTry(shop));
      await once(stopping, "abort");
      say(terminal, "\nStopping ...");
    }
  } catch (error) {
    if (!stopping.aborted) throw error;
  } finally {
    if (keep) say(terminal, `Configuration, state and logs are in ${folder}`);
    else await rm(folder, { recursive: true, force: true });
  }
  if (options.once && stopping.aborted) return EXIT.no;
  return failed === 0 ? EXIT.ok : EXIT.no;
}

async function demoFolder(keepDir: string | boolean | undefined): Promise<string> {
  if (typeof keepDir !== "string") return mkdtemp(join(tmpdir(), "seawall-demo-"));
  const folder = resolve(keepDir);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await readdir(folder)).length > 0) throw CommandFailure.usage(`${folder} is not empty: name a new folder with --keep-dir.`);
  return folder;
}

/** The control plane fetches the identity provider's keys by itself; until then tokens are refused. */
async function untilTokensAreAccepted(shop: Shop): Promise<void> {
  const token = await shop.token({ sub: "warm-up" });
  const deadline = Date.now() + 15_000;
  for (;;) {
    const { status } = await call({ url: `http://${shop.inbound("web")}/orders`, token });
    if (status === 200 || status === 429) break;
    if (Date.now() > deadline)
      throw CommandFailure.failed(`a good token is still answered ${status}: the keys of the identity provider did not arrive`);
  }
  shop.logs.clear();
}

const WIDTHS = [48, 20, 20] as const;

async function walkThrough(shop: Shop, terminal: Terminal, stopping: AbortSignal): Promise<number> {
  let failed = 0;
  row(terminal, ["STEP", "EXPECTED", "GOT", "REASON"]);
  for (const { title, run } of STEPS) {
    stopping.throwIfAborted();
    const result: StepResult = await run(shop);
    failed += result.passed ? 0 : 1;
    row(terminal, [title, result.expected, result.got, result.reason], result.passed);
  }
  stopping.throwIfAborted();
  terminal.output.write("\nA policy file is edited while a stream of events is open:\n");
  for (const edit of await editPolicy(shop)) {
    failed += edit.passed ? 0 : 1;
    terminal.output.write(describeEdit(edit));
  }
  const total = STEPS.length + 2;
  terminal.output.write(`\n${total - failed} of ${total} steps went as they should.\n`);
  return failed;
}

function row(terminal: Terminal, cells: readonly string[], passed?: boolean): void {
  const text = cells.map((cell, column) => cell.padEnd(WIDTHS[column] ?? 0)).join("  ");
  const mark = passed === undefined ? "  " : passed ? "+ " : "! ";
  terminal.output.write(`${mark}${text.trimEnd()}${passed === false ? "   <-- not as expected" : ""}\n`);
}

function describeEdit(edit: EditResult): string {
  return `${edit.passed ? "+" : "!"} ${edit.what}
    from save to enforcement  ${edit.milliseconds.toFixed(1)} ms
    bytes pushed              ${edit.bytesPushed}
    sidecars touched          ${edit.sidecarsTouched.length} (${edit.sidecarsTouched.join(", ")})
    connections closed        ${edit.connectionsClosed}
    listeners modified        ${edit.listenersModified}
    events on the stream      ${edit.eventsReceived > 0 ? `${edit.eventsReceived}, it is still open` : "it was cut"}
`;
}

function whatToTry(shop: Shop): string {
  const seawall = commandName();
  const admin = showHostPort(shop.adminAddress);
  const tokenUrl = shop.tokenUrl({ sub: "alice" });
  return `
It stays up. Try, in another terminal:

  # be a customer (without the token: 401)
  TOKEN=$(curl -s '${tokenUrl}' | cut -d'"' -f4)
  curl -i -H "authorization: Bearer $TOKEN" http://${shop.inbound("web")}/orders

  # be web, and ask for what it may not
  curl -i -x http://${shop.proxy("web")} -X DELETE http://orders.shop/orders/1

  # why?
  ${seawall} explain --admin ${admin} --from shop/web --to orders.shop DELETE /orders/1

  # what do the sidecars run?
  ${seawall} proxy status --admin ${admin}
  ${seawall} proxy config shop/web routes --admin ${admin}

  # change the rules and watch: who may do what is in
  ${join(shop.configFolder, "access.yaml")}

  # every request, with the policy that decided
  tail -f ${join(shop.folder, "logs", "sidecar-*.log")}

Ctrl-C ends everything.
`;
}

/** How this very command can be started again. */
function commandName(): string {
  return import.meta.filename.endsWith(".ts") ? "npm run -s seawall --" : "seawall";
}
