import type { ListenerStatus } from "./admin-socket.ts";

/** What a person or a script needs to use a sidecar: where it listens, and what to export. */
export function describeListeners(listeners: readonly ListenerStatus[]): readonly string[] {
  const rows = listeners.toSorted(byDirection).flatMap(describe);
  const width = Math.max(0, ...rows.map(([what]) => what.length));
  return rows.map(([what, where]) => `  ${what.padEnd(width)}  ${where}`);
}

type Row = readonly [what: string, where: string];

function describe({ name, address, port }: ListenerStatus): readonly Row[] {
  const bound = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  const [direction, namespace, service, servicePort] = name.split("/");
  if (direction === "inbound") return [["inbound", bound]];
  if (name === "outbound") return [["outbound", `export HTTP_PROXY=http://${bound} http_proxy=http://${bound}`]];
  if (direction === "outbound") return [["outbound tcp", `${service ?? ""}.${namespace ?? ""}:${servicePort ?? ""} is at ${bound}`]];
  return [[name, bound]];
}

const ORDER = ["inbound", "outbound"];

function byDirection(a: ListenerStatus, b: ListenerStatus): number {
  const rank = ({ name }: ListenerStatus): number => ORDER.indexOf(name.split("/")[0] ?? "");
  return rank(a) - rank(b) || a.name.split("/").length - b.name.split("/").length || a.port - b.port || (a.name < b.name ? -1 : 1);
}
