import { parseArgs } from "node:util";
import type { MeshShape } from "./mesh-shape.ts";

export interface BenchOptions {
  readonly runs: readonly { readonly shape: MeshShape; readonly insecureXds: boolean }[];
  readonly edits: number;
  readonly windowMs: number;
  readonly json: boolean;
  /** Milliseconds that everything may take. */
  readonly timeoutMs: number;
  readonly nodeOptions: readonly string[];
}

export const USAGE = `usage: node bench/bench.ts [options]
  --sidecars <n>      sidecars; with none of these three: 100 x 20 x 50 and 1000 x 100 x 200
  --services <n>      services (20)
  --policies <n>      policies (50)
  --selected <n>      sidecars that the edited policy selects (10)
  --callers <n>       services that may call each service, and so what each sidecar sees; "all" for all (10)
  --spread            the selected pods are of different workloads, not replicas of one
  --edits <n>         edits in each series (30)
  --window <ms>       from one save to the next (150)
  --insecure-xds      plaintext alone; without it and --tls both are measured
  --tls               TLS alone
  --cpu-prof <dir>    write a CPU profile of the control plane there
  --timeout <s>       give up after so many seconds (900)
  --json              print the figures as JSON`;

/** What the command line asks for. Throws a TypeError or RangeError that says what is wrong with it. */
export function readOptions(parameters: readonly string[]): BenchOptions | "help" {
  const { values } = parseArgs({
    args: [...parameters],
    options: {
      sidecars: { type: "string" },
      services: { type: "string" },
      policies: { type: "string" },
      selected: { type: "string" },
      callers: { type: "string" },
      spread: { type: "boolean", default: false },
      edits: { type: "string" },
      window: { type: "string" },
      "insecure-xds": { type: "boolean", default: false },
      tls: { type: "boolean", default: false },
      "cpu-prof": { type: "string" },
      timeout: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const number = (name: "sidecars" | "services" | "policies" | "selected" | "edits" | "window" | "timeout", otherwise: number): number => {
    const text = values[name];
    if (text === undefined) return otherwise;
    if (!/^[1-9]\d{0,6}$/.test(text)) throw new RangeError(`--${name} takes a number, not ${text}`);
    return Number(text);
  };
  const sizes =
    values.sidecars === undefined && values.services === undefined && values.policies === undefined
      ? [
          { sidecars: 100, services: 20, policies: 50 },
          { sidecars: 1000, services: 100, policies: 200 },
        ]
      : [{ sidecars: number("sidecars", 100), services: number("services", 20), policies: number("policies", 50) }];
  const transports = values["insecure-xds"] === values.tls ? [false, true] : [values["insecure-xds"]];
  const callers = values.callers === "all" ? Infinity : Number(values.callers ?? 10);
  if (!(callers >= 1)) throw new RangeError(`--callers takes a number or "all", not ${values.callers ?? ""}`);
  const rest = { selected: number("selected", 10), spread: values.spread };
  return {
    runs: sizes.flatMap((size) =>
      transports.map((insecureXds) => ({ shape: { ...size, ...rest, callers: Math.min(callers, size.services - 1) }, insecureXds })),
    ),
    edits: number("edits", 30),
    windowMs: number("window", 150),
    json: values.json,
    timeoutMs: number("timeout", 900) * 1000,
    nodeOptions: values["cpu-prof"] === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values["cpu-prof"]}`],
  };
}
