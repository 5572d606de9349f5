import type { To } from "../match.ts";
import type { CalledPort } from "../request.ts";

/** Whether an item of `to` concerns a port at all: by number or name, or because it names none. */
export function coversPort(to: To, port: CalledPort): boolean {
  return to.ports === undefined || to.ports.some((wanted) => wanted === port.number || wanted === port.name);
}
