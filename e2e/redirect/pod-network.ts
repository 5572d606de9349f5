/** Network namespaces that stand for pods, on a bridge that stands for the node, in a namespace of its own. */
import { spawnSync } from "node:child_process";

export const SERVICE_IPV4 = "198.19.0";
export const SERVICE_IPV6 = "fd00:198:19::";

export interface PodAddresses {
  readonly ipv4: string;
  readonly ipv6: string;
}

export class PodNetwork {
  readonly #prefix = `swr${process.pid.toString(36)}`;
  readonly #namespaces: string[] = [];

  constructor() {
    this.#namespace(this.#hub);
    this.#inside(this.#hub, "ip link add bridge0 type bridge");
    this.#inside(this.#hub, "ip link set bridge0 up");
    this.#inside(this.#hub, "ip address add 198.18.0.1/16 dev bridge0");
    this.#inside(this.#hub, "ip address add fd00:198:18::1/64 dev bridge0 nodad");
  }

  /** The kubelet's and any stranger's place: on the node, outside of every pod. */
  get node(): readonly string[] {
    return this.enter(this.#hub);
  }

  /** Makes the namespace of pod number `index`, from 1. What a pod sends to elsewhere leaves it and is lost. */
  add(index: number): { readonly enter: readonly string[]; readonly addresses: PodAddresses } {
    const pod = `${this.#prefix}-${index}`;
    const cable = `pod${index}`;
    const addresses = { ipv4: `198.18.0.${10 + index}`, ipv6: `fd00:198:18::${(10 + index).toString(16)}` };
    this.#namespace(pod);
    this.#inside(this.#hub, `ip link add ${cable} type veth peer name eth0 netns ${pod}`);
    this.#inside(this.#hub, `ip link set ${cable} master bridge0 up`);
    this.#inside(pod, "ip link set eth0 up");
    this.#inside(pod, `ip address add ${addresses.ipv4}/16 dev eth0`);
    this.#inside(pod, `ip address add ${addresses.ipv6}/64 dev eth0 nodad`);
    this.#inside(pod, "ip route add default via 198.18.0.1");
    this.#inside(pod, "ip -6 route add default via fd00:198:18::1");
    return { enter: this.enter(pod), addresses };
  }

  /** Installs nft rules where `enter` leads. */
  rules(enter: readonly string[], rules: string): void {
    run([...enter, "nft", "-f", "-"], rules);
  }

  remove(): void {
    for (const namespace of this.#namespaces.splice(0).reverse()) run(["ip", "netns", "delete", namespace]);
  }

  get #hub(): string {
    return `${this.#prefix}-node`;
  }

  enter(namespace: string): readonly string[] {
    return ["nsenter", `--net=/run/netns/${namespace}`];
  }

  #namespace(name: string): void {
    run(["ip", "netns", "add", name]);
    this.#namespaces.push(name);
    this.#inside(name, "ip link set lo up");
  }

  #inside(namespace: string, command: string): void {
    run([...this.enter(namespace), ...command.split(" ")]);
  }
}

function run([program = "", ...args]: readonly string[], input?: string): void {
  const { error, status, stderr } = spawnSync(program, args, { encoding: "utf8", ...(input === undefined ? {} : { input }) });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr.trim()}\n${input ?? ""}`);
}
