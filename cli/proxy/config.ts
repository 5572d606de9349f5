import { CommandFailure } from "../command-failure.ts";
import type { IntendedResource } from "../control-plane-admin.ts";
import type { ControlPlaneChoice } from "../control-plane-choice.ts";
import { ControlPlanes } from "../control-planes.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { type OutputFormat, print } from "../output-format.ts";
import { AdminSocket } from "../sidecar/admin-socket.ts";
import { say, type Terminal } from "../terminal.ts";
import { agrees, compare, type Comparison, describeAgreement } from "./comparison.ts";
import { readConfigDump, type RunningConfig, withoutSecrets } from "./config-dump.ts";
import { CONFIG_PARTS, type ConfigPart } from "./config-part.ts";
import { summarize } from "./summaries.ts";

export interface ConfigOptions extends ControlPlaneChoice {
  /** Envoy's dump as it is, but for secrets. */
  readonly raw: boolean;
  /** The sidecar's admin socket, when the control plane is not to be asked. */
  readonly socket?: string;
  readonly namespace?: string;
  readonly output: OutputFormat;
}

/** Shows what a sidecar runs. Returns 1 when that is not what it should run. */
export async function proxyConfig(
  { namespace, pod }: { readonly namespace: string; readonly pod: string },
  part: ConfigPart | undefined,
  options: ConfigOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const name = `${namespace}/${pod}`;
  await using controlPlanes = await ControlPlanes.reach(options, terminal);
  const dump = await readDump(namespace, pod, options.socket, controlPlanes);
  if (options.raw) {
    terminal.output.write(`${JSON.stringify(withoutSecrets(part === undefined ? dump : readConfigDump(dump)[part]), null, 2)}\n`);
    return EXIT.ok;
  }
  const running = readConfigDump(dump);
  const intended = await intendedOf(name, controlPlanes, options, terminal);
  const comparison = compare(running, intended ?? []);
  await show(part, running, comparison, options, terminal);
  if (intended === undefined) return EXIT.ok;
  const shown = part === undefined ? CONFIG_PARTS : [part];
  return shown.every((each) => [...comparison[each].values()].every(agrees)) ? EXIT.ok : EXIT.no;
}

/** From the sidecar itself: over its socket where that is on this machine, else from within its pod. */
async function readDump(namespace: string, pod: string, socket: string | undefined, controlPlanes: ControlPlanes): Promise<unknown> {
  const { cluster } = controlPlanes;
  if (cluster === undefined || socket !== undefined) {
    const path = socket ?? (await socketOf(`${namespace}/${pod}`, controlPlanes));
    return dumpAt(path, `the sidecar's admin socket ${path} does not answer`, "Is it on this machine, and yours?");
  }
  const { readSidecarDump } = await import("../cluster/sidecar-dump.ts");
  return readSidecarDump(cluster, namespace, pod);
}

async function socketOf(name: string, controlPlanes: ControlPlanes): Promise<string> {
  const sidecars = await controlPlanes.sidecars();
  const sidecar = sidecars.find(({ subscriber }) => subscriber === name);
  if (sidecar === undefined) {
    const known = sidecars.map(({ subscriber }) => subscriber).join(", ");
    throw CommandFailure.usage(`the control plane knows no pod ${name} with a sidecar; there are ${known === "" ? "none" : known}.`);
  }
  const socket = sidecar.stream?.node?.metadata?.["adminSocket"];
  if (sidecar.stream === undefined) {
    throw CommandFailure.failed(
      `the sidecar of ${name} is not connected to the control plane. When it runs, --socket <work folder>/admin.sock asks it directly.`,
    );
  }
  if (socket === undefined)
    throw CommandFailure.failed(`the sidecar of ${name} does not say where its admin socket is: name it with --socket.`);
  return socket;
}

async function dumpAt(path: string, failure: string, advice: string): Promise<unknown> {
  try {
    return JSON.parse(await new AdminSocket(path).get("/config_dump?include_eds", 30_000));
  } catch (error) {
    throw CommandFailure.failed(`${failure} (${error instanceof Error ? error.message : String(error)}). ${advice}`, error);
  }
}

/** Undefined when there is nothing to compare with. */
async function intendedOf(
  name: string,
  controlPlanes: ControlPlanes,
  { socket }: ConfigOptions,
  terminal: Terminal,
): Promise<readonly IntendedResource[] | undefined> {
  try {
    return await controlPlanes.intended(name);
  } catch (error) {
    if (socket === undefined) throw error;
    say(terminal, `not compared: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function show(
  part: ConfigPart | undefined,
  running: RunningConfig,
  comparison: Comparison,
  options: ConfigOptions,
  terminal: Terminal,
): Promise<void> {
  if (part !== undefined) {
    const { columns, rows } = summarize(part, running, comparison, Date.now());
    await print(terminal, options.output, { columns, rows, data: asData(part, running, comparison), empty: `it has no ${part}` });
    return;
  }
  await print(terminal, options.output, {
    columns: ["part", "resources", "state"],
    rows: CONFIG_PARTS.map((each) => [each, String(running[each].length), overview(comparison, each)]),
    data: Object.fromEntries(CONFIG_PARTS.map((each) => [each, asData(each, running, comparison)])),
  });
}

function overview(comparison: Comparison, part: ConfigPart): string {
  const others = [...comparison[part]].filter(([, agreement]) => !agrees(agreement));
  return others.length === 0 ? "as intended" : others.map(([name, agreement]) => `${name}: ${describeAgreement(agreement)}`).join("; ");
}

function asData(part: ConfigPart, running: RunningConfig, comparison: Comparison): unknown {
  const present = running[part].map(({ name, version, resource }) => ({
    name,
    ...(version === undefined ? {} : { version }),
    state: describeAgreement(comparison[part].get(name)),
    resource: withoutSecrets(resource),
  }));
  const missing = [...comparison[part]].filter(([, { kind }]) => kind === "missing").map(([name]) => ({ name, state: "missing" }));
  return [...present, ...missing];
}
