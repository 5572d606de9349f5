import { InvalidArgumentError } from "commander";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A commander option's reader for `host:port`, with an IPv6 host in brackets. */
export function hostPortOption(text: string): HostPort {
  const found = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const [, bracketed, plain, digits] = found ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port > 65535) throw new InvalidArgumentError("write host:port, for example 127.0.0.1:15012.");
  return { host, port };
}

export function showHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
