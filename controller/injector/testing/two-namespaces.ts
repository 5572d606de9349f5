/** Two network namespaces with a cable between them: a pod, and the rest of the world. Needs root. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);

export const POD = { ipv4: "10.77.0.2", ipv6: "fd77::2" } as const;
export const WORLD = { ipv4: "10.77.0.1", ipv6: "fd77::1", elsewhere: { ipv4: "10.78.0.1", ipv6: "fd78::1" } } as const;

/** Who connects: a user, perhaps with a socket priority, over TCP unless it says so. */
export interface Dialler {
  readonly user?: number;
  readonly priority?: number;
  readonly protocol?: "tcp" | "udp";
}

export interface TwoNamespaces extends AsyncDisposable {
  /** Runs a program in the pod. */
  inPod(program: string, ...args: string[]): Promise<string>;
  /** Who answers at this address: `pod 8080`, `world 80`, or `nobody`. */
  dial(from: "pod" | "world", host: string, port: number, dialler?: Dialler): Promise<string>;
}

/** Answers every connection, and every datagram, with its own name and the port at which it was reached. */
const ANSWERING = `
  const [name, ...ports] = process.argv.slice(1);
  const listening = ports.map((port) => new Promise((done) =>
    require("node:net").createServer((socket) => socket.on("error", () => {}).end(name + " " + port)).listen(Number(port), "::", done)));
  const hearing = ports.map((port) => new Promise((done) => {
    const socket = require("node:dgram").createSocket("udp6");
    socket.on("message", (_, from) => socket.send(name + " " + port, from.port, from.address)).bind(Number(port), "::", done);
  }));
  Promise.all([...listening, ...hearing]).then(() => console.log("listening"));`;

/** Perl, since it can do as another user and set any option of a socket. */
const DIALLING = String.raw`
  my ($host, $port, $user, $priority, $protocol) = @ARGV;
  if ($user) { $) = "$user $user"; $( = $user; $< = $> = $user; }
  my $six = $host =~ /:/;
  socket(my $socket, $six ? AF_INET6 : AF_INET, $protocol eq "udp" ? SOCK_DGRAM : SOCK_STREAM, 0) or die "socket: $!";
  setsockopt($socket, SOL_SOCKET, 12, pack("i", $priority)) or die "priority: $!" if $priority;
  my $at = $six ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $host)) : pack_sockaddr_in($port, inet_aton($host));
  $SIG{ALRM} = sub { print "nobody"; exit };
  alarm 5;
  connect($socket, $at) or do { print "nobody"; exit };
  if ($protocol eq "udp") { send($socket, "x", 0); recv($socket, my $answer, 100, 0); print $answer; exit }
  print while <$socket>;`;

export async function twoNamespaces(podPorts: readonly number[], worldPorts: readonly number[]): Promise<TwoNamespaces> {
  const names = { pod: `seawall-pod-${process.pid}`, world: `seawall-world-${process.pid}` };
  const children: ChildProcess[] = [];
  const inside = (side: "pod" | "world", program: string, ...args: string[]): string[] => ["netns", "exec", names[side], program, ...args];
  const answer = async (side: "pod" | "world", ports: readonly number[]): Promise<void> => {
    const child = spawn("ip", inside(side, process.execPath, "-e", ANSWERING, side, ...ports.map(String)), {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    await once(createInterface(child.stdout), "line");
  };
  const remove = async (): Promise<void> => {
    for (const child of children) child.kill("SIGKILL");
    for (const name of Object.values(names)) await run("ip", ["netns", "delete", name]).catch(() => undefined);
  };
  try {
    for (const name of Object.values(names)) await run("ip", ["netns", "add", name]);
    await run("ip", ["link", "add", "eth0", "netns", names.pod, "type", "veth", "peer", "name", "eth0", "netns", names.world]);
    const addresses = {
      pod: [`${POD.ipv4}/24`, `${POD.ipv6}/64`],
      world: [`${WORLD.ipv4}/24`, `${WORLD.ipv6}/64`, `${WORLD.elsewhere.ipv4}/24`, `${WORLD.elsewhere.ipv6}/64`],
    };
    for (const side of ["pod", "world"] as const) {
      const ip = (...args: string[]): Promise<unknown> => run("ip", ["-netns", names[side], ...args]);
      for (const address of addresses[side])
        await ip("address", "add", address, "dev", "eth0", ...(address.includes(":") ? ["nodad"] : []));
      for (const link of ["lo", "eth0"]) await ip("link", "set", link, "up");
    }
    await run("ip", ["-netns", names.pod, "route", "add", "default", "via", WORLD.ipv4]);
    await run("ip", ["-netns", names.pod, "-6", "route", "add", "default", "via", WORLD.ipv6]);
    await answer("pod", podPorts);
    await answer("world", worldPorts);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    inPod: async (program, ...args) => (await run("ip", inside("pod", program, ...args))).stdout,
    dial: async (from, host, port, { user = 0, priority = 0, protocol = "tcp" } = {}) => {
      const args = [host, port, user, priority, protocol].map(String);
      return (await run("ip", inside(from, "perl", "-MSocket=:all", "-e", DIALLING, ...args))).stdout;
    },
    [Symbol.asyncDispose]: remove,
  };
}
