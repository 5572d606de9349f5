import type { SidecarStatus } from "../../controller/admin/sidecars.ts";
import { CommandFailure } from "../command-failure.ts";
import type { ControlPlaneChoice } from "../control-plane-choice.ts";
import { ControlPlanes } from "../control-planes.ts";
import { describeDuration } from "../duration.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { type OutputFormat, print } from "../output-format.ts";
import { say, type Terminal } from "../terminal.ts";

export interface StatusOptions extends ControlPlaneChoice {
  /** Only its pods. */
  readonly namespace?: string;
  readonly output: OutputFormat;
}

/** Lists sidecars. Returns 1 when one that is listed is not connected, not synced, or refuses something. */
export async function proxyStatus(
  pod: { readonly namespace: string; readonly pod: string } | undefined,
  options: StatusOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  await using controlPlanes = await ControlPlanes.reach(options, terminal);
  const all = (await controlPlanes.sidecars()).filter(({ subscriber }) => isOf(options.namespace, subscriber));
  const name = pod === undefined ? undefined : `${pod.namespace}/${pod.pod}`;
  const listed = name === undefined ? all : all.filter(({ subscriber }) => subscriber === name);
  if (name !== undefined && listed.length === 0) {
    throw CommandFailure.usage(
      `the control plane knows no pod ${name} with a sidecar; there are ${all.map(({ subscriber }) => subscriber).join(", ") || "none"}.`,
    );
  }
  await print(terminal, options.output, {
    columns: ["pod", "workload", "state", "connected", "envoy", "resources", "pushes", "nacks", "certificate"],
    rows: listed.map((sidecar) => describe(sidecar, Date.now())),
    data: listed.map(asData),
    empty:
      controlPlanes.cluster === undefined
        ? "there is no pod with a sidecar in the control plane's folder"
        : `there is no pod with a sidecar${options.namespace === undefined ? "" : ` in ${options.namespace}`}: label a namespace with seawall.dev/injection=enabled and restart its workloads`,
  });
  if (options.output === "table") for (const sidecar of listed) for (const line of refusals(sidecar)) say(terminal, line);
  return listed.every(isWell) ? EXIT.ok : EXIT.no;
}

function isOf(namespace: string | undefined, subscriber: string): boolean {
  return namespace === undefined || subscriber.startsWith(`${namespace}/`);
}

function describe(sidecar: SidecarStatus, now: number): readonly string[] {
  const { subscriber, workload, stream, certificate } = sidecar;
  const types = stream?.types ?? [];
  const sum = (of: (type: (typeof types)[number]) => number): string => String(types.reduce((total, type) => total + of(type), 0));
  return [
    subscriber,
    workload,
    stateOf(sidecar),
    stream === undefined ? "-" : `${describeDuration(now - stream.connectedAt)} ago`,
    stream?.node?.version.replace(/^envoy /, "") ?? "-",
    stream === undefined ? "-" : sum((type) => type.resources),
    stream === undefined ? "-" : sum((type) => type.pushes),
    stream === undefined ? "-" : sum((type) => type.nacks),
    certificate === undefined ? "none" : expiry(certificate.notAfter, now),
  ];
}

function stateOf(sidecar: SidecarStatus): string {
  const { stream } = sidecar;
  if (stream === undefined) return "not connected";
  if (stream.types.some(({ rejected }) => rejected.length > 0)) return "refuses some";
  if (stream.held) return "held";
  return sidecar.synced ? "synced" : "syncing";
}

function isWell(sidecar: SidecarStatus): boolean {
  return stateOf(sidecar) === "synced";
}

function expiry(notAfter: number, now: number): string {
  return notAfter <= now ? `expired ${describeDuration(now - notAfter)} ago` : `expires in ${describeDuration(notAfter - now)}`;
}

/** What Envoy refuses, in its own words. */
function refusals({ subscriber, stream }: SidecarStatus): string[] {
  return (stream?.types ?? []).flatMap(({ typeUrl, rejected, lastNack }) => {
    if (rejected.length === 0) return [];
    return [`${subscriber} keeps the last good ${shortType(typeUrl)} ${rejected.join(", ")}: ${lastNack?.message ?? "no reason given"}`];
  });
}

export function shortType(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf(".") + 1);
}

/** Stable names, times in RFC 3339. */
function asData(sidecar: SidecarStatus): unknown {
  const { subscriber, workload, connected, synced, stream, certificate } = sidecar;
  return {
    pod: subscriber,
    workload,
    state: stateOf(sidecar),
    connected,
    synced,
    ...(stream === undefined
      ? {}
      : {
          connectedAt: new Date(stream.connectedAt).toISOString(),
          peer: stream.peer,
          node: stream.node,
          bytesSent: stream.bytesSent,
          types: stream.types.map(({ typeUrl, resources, pushes, nacks, rejected, lastNack }) => ({
            type: shortType(typeUrl),
            resources,
            pushes,
            nacks,
            rejected,
            ...(lastNack === undefined ? {} : { lastNack: lastNack.message }),
          })),
        }),
    ...(certificate === undefined
      ? {}
      : {
          certificate: {
            spiffeId: certificate.spiffeId,
            serial: certificate.serial,
            notBefore: new Date(certificate.notBefore).toISOString(),
            notAfter: new Date(certificate.notAfter).toISOString(),
          },
        }),
  };
}
