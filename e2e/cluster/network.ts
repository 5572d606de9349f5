/**
 * The network of one node, in a namespace of its own: nothing on the machine's own network changes. The node's addresses are
 * of the ranges for documentation, and stand on one end of a cable whose other end hangs loose in the same namespace.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

export const NODE_IPV4 = "192.0.2.10";
export const NODE_IPV6 = "2001:db8:2::10";
export const POD_RANGES = { ipv4: "198.18.0.0/16", ipv6: "fd00:198:18::/64" } as const;
export const SERVICE_RANGES = { ipv4: "198.19.0.0/24", ipv6: "fd00:198:19::/112" } as const;
/** Where pods ask for names: a Service, as in any cluster. */
export const DNS_SERVICE = "198.19.0.10";

const DEVICE = "node0";

export class NetworkNamespace {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  get path(): string {
    return join("/run/netns", this.name);
  }

  get exists(): boolean {
    return existsSync(this.path);
  }

  /** What to put before a command. `ip netns exec` would not do: it hides the control groups from the kubelet. */
  get prefix(): readonly [string, ...string[]] {
    return ["nsenter", `--net=${this.path}`];
  }

  create(): void {
    command("ip", "netns", "add", this.name);
    const [enter, ...rest] = this.prefix;
    const inside = (...args: string[]): void => command(enter, ...rest, ...args);
    inside("ip", "link", "set", "lo", "up");
    inside("ip", "link", "add", DEVICE, "type", "veth", "peer", "name", "loose-end");
    inside("ip", "link", "set", DEVICE, "up");
    inside("ip", "link", "set", "loose-end", "up");
    inside("ip", "address", "add", `${NODE_IPV4}/24`, "dev", DEVICE);
    inside("ip", "address", "add", `${NODE_IPV6}/64`, "dev", DEVICE, "nodad");
    // An address of a Service needs a route before it can be translated.
    inside("ip", "route", "add", "default", "dev", DEVICE);
    inside("ip", "-6", "route", "add", "default", "dev", DEVICE);
    inside("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
  }

  remove(): void {
    if (this.exists) command("ip", "netns", "delete", this.name);
  }
}

function command(program: string, ...args: string[]): void {
  const { error, status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr.trim()}`);
}
