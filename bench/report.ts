/** The figures as a table, with what they compare with. */
import type { EditResult, ScenarioResult } from "./scenario.ts";

/**
 * Istio's control plane doing the same work: 1,000 sidecars, 100 services, 200 policies, all over plaintext. Measured
 * elsewhere, on the same kind of machine; nothing of it is measured by this bench.
 */
const ISTIO = {
  connect: "41 s (22 s tuned)",
  edit: "2,268 ms",
  touched: "1,000",
  cpu: "2,276 ms",
  bytes: "17 MB",
  memory: "328 MB in all",
};

type Row = readonly [what: string, ...values: string[]];

export function report(results: readonly ScenarioResult[]): string {
  const title = ({ shape, transport }: ScenarioResult): string =>
    `${shape.sidecars} x ${shape.services} x ${shape.policies} ${transport === "tls" ? "TLS" : "plain"}`;
  const row = (what: string, value: (result: ScenarioResult) => string, istio = ""): Row => [what, ...results.map(value), istio];
  const edit = (
    name: string,
    of: (result: ScenarioResult) => EditResult,
    istio: { last?: string; touched?: string; bytes?: string; cpu?: string },
  ): Row[] => [
    row(name, () => ""),
    row("  last sidecar p50", (result) => milliseconds(of(result).last.p50), istio.last),
    row("  last sidecar p99", (result) => milliseconds(of(result).last.p99)),
    row("  ratio to the floor (p50)", (result) => `${(of(result).last.p50 / result.floor.last.p50).toFixed(1)} x`),
    row("  sidecars touched", (result) => touched(of(result)), istio.touched),
    row("  bytes", (result) => size(of(result).bytes), istio.bytes),
    row("  CPU", (result) => milliseconds(of(result).cpu), istio.cpu),
    row("  CPU above no-op", (result) => milliseconds(of(result).cpu - result.noOpCpu)),
  ];
  const rows: Row[] = [
    ["", ...results.map(title), "Istio (measured elsewhere)"],
    row("connect: all synced", ({ connect }) => milliseconds(connect.syncedMs), ISTIO.connect),
    row("  server CPU / client CPU", ({ connect }) => `${milliseconds(connect.serverCpuMs)} / ${milliseconds(connect.clientCpuMs)}`),
    row("  bytes received", ({ connect }) => size(connect.bytes)),
    row("  peak RSS", ({ connect }) => size(connect.peakRss)),
    row("start: folder read, all computed", ({ startMs }) => milliseconds(startMs)),
    row("memory: RSS with all connected", ({ memory }) => size(memory.rssAfter), ISTIO.memory),
    row("  RSS per sidecar", ({ memory, shape }) => size((memory.rssAfter - memory.rssBefore) / shape.sidecars)),
    row("  heap per sidecar", ({ memory, shape }) => size((memory.heapAfter - memory.heapBefore) / shape.sidecars)),
    row("floor: file event p50 / p99", ({ floor }) => `${milliseconds(floor.event.p50)} / ${milliseconds(floor.event.p99)}`),
    row("floor: + one write per stream p50 / p99", ({ floor }) => `${milliseconds(floor.last.p50)} / ${milliseconds(floor.last.p99)}`),
    row("CPU of a save that changes a comment", ({ noOpCpu }) => milliseconds(noOpCpu)),
    ...edit("one selector-scoped policy edit", (result) => result.selectorEdit, {
      last: ISTIO.edit,
      touched: ISTIO.touched,
      bytes: ISTIO.bytes,
      cpu: ISTIO.cpu,
    }),
    ...edit("one endpoint change (a pod's readiness)", (result) => result.endpointChange, {}),
    ...edit("one mesh-wide policy edit", (result) => result.meshEdit, {}),
  ];
  return table(rows);
}

function touched({ touched: [fewest, most], expected, exact }: EditResult): string {
  const count = fewest === most ? String(fewest) : `${fewest} to ${most}`;
  return exact ? `${count}, exactly` : `${count}, not the ${expected} that it should`;
}

function milliseconds(value: number): string {
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(1)} ms`;
}

function size(bytes: number): string {
  if (Math.abs(bytes) >= 1 << 20) return `${(bytes / (1 << 20)).toFixed(1)} MB`;
  return `${(bytes / 1024).toFixed(1)} KB`;
}

function table(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  return rows
    .map((cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`)
    .toSpliced(1, 0, `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`)
    .join("\n");
}
