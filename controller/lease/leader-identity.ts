/**
 * Who holds the Lease, as its text says it: `<pod name>_<address>:<port>`. A pod's name has no underscore, so what follows
 * the first one is where the other replicas reach the leader.
 */
export interface LeaderIdentity {
  readonly pod: string;
  /** An IP address, without brackets. */
  readonly host: string;
  readonly port: number;
}

export function formatLeader({ pod, host, port }: LeaderIdentity): string {
  return `${pod}_${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Undefined for a text that no replica of Seawall wrote. */
export function parseLeader(text: string): LeaderIdentity | undefined {
  const [, pod, bracketed, plain, digits] = /^([^_]+)_(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  return pod === undefined || host === undefined || port < 1 || port > 65_535 ? undefined : { pod, host, port };
}
