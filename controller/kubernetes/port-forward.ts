/** A port of a pod's loopback as a port of this machine's, through the API server and the pod's kubelet. For commands of a person. */
import { once } from "node:events";
import { STATUS_CODES } from "node:http";
import type { RequestOptions } from "node:https";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { KubernetesApiError } from "./api.ts";
import { type ClusterAccess, reasonOf } from "./cluster-access.ts";

export interface PodPort {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

/** Every connection to `host`:`port` is one to the pod's. */
export interface ForwardedPort {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** One connection to the pod's port. */
interface Channel {
  readonly toPod: PassThrough;
  readonly fromPod: PassThrough;
  close(): void;
}

/** What is used of the library's WebSocket, for which it brings no types. */
interface Connection {
  onclose: () => void;
  onerror: (event: { readonly error: Error }) => void;
  close(): void;
}

const LOOPBACK = "127.0.0.1";

/**
 * Rejects with a {@link KubernetesApiError} when the server does not let one in, or does not know the pod. A connection that the
 * pod refuses ends at once.
 */
export async function forwardPort(access: ClusterAccess, target: PodPort): Promise<ForwardedPort> {
  const sockets = new Set<Socket>();
  let spare: Channel | undefined = await openChannel(access, target);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    const opening = spare === undefined ? openChannel(access, target) : Promise.resolve(spare);
    spare = undefined;
    opening.then(
      (channel) => join(socket, channel),
      () => socket.destroy(),
    );
  });
  server.listen(0, LOOPBACK);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    host: LOOPBACK,
    port,
    close: async () => {
      spare?.close();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function join(socket: Socket, channel: Channel): void {
  socket.on("close", () => channel.close());
  if (channel.fromPod.destroyed) socket.destroy();
  channel.fromPod.on("close", () => {
    if (channel.fromPod.errored !== null) socket.destroy();
  });
  socket.pipe(channel.toPod);
  channel.fromPod.pipe(socket);
}

async function openChannel(access: ClusterAccess, { namespace, pod, port }: PodPort): Promise<Channel> {
  const { KubeConfig, PortForward } = await import("@kubernetes/client-node");
  const credentials = await access.credentials();
  const config = new KubeConfig();
  config.loadFromClusterAndUser({ name: "", server: access.server, skipTLSVerify: false }, { name: "" });
  config.applyToHTTPSOptions = (options: RequestOptions) => Promise.resolve(void Object.assign(options, credentials));
  const toPod = new PassThrough();
  const fromPod = new PassThrough();
  const refusal = new PassThrough();
  // Told by what becomes of the stream: it may fail before anybody has connected here.
  fromPod.on("error", () => undefined);
  // What comes there is the kubelet's reason for not connecting, as that nothing listens.
  refusal.on("data", (reason: Buffer) => fromPod.destroy(new Error(reason.toString("utf8"))));
  try {
    const forward = new PortForward(config);
    const connection = (await forward.portForward(namespace, pod, [port], fromPod, refusal, toPod)) as unknown as Connection;
    connection.onclose = () => void fromPod.end();
    connection.onerror = ({ error }) => void fromPod.destroy(error);
    return { toPod, fromPod, close: () => connection.close() };
  } catch (error) {
    throw asApiError(error, `${namespace}/${pod}`);
  }
}

/** A WebSocket that could not be opened says why in an event. */
function asApiError(error: unknown, pod: string): KubernetesApiError {
  const text = typeof error === "object" && error !== null && "message" in error ? String(error.message) : reasonOf(error);
  const status = Number(/server response: (\d{3})/.exec(text)?.[1] ?? Number.NaN);
  if (Number.isNaN(status))
    return new KubernetesApiError(undefined, "Unreachable", `no port of pod ${pod} can be forwarded: ${text}`, error);
  const code = (STATUS_CODES[status] ?? "Unknown").replaceAll(" ", "");
  const hint = status === 403 ? ": it takes the permission to create pods/portforward" : "";
  return new KubernetesApiError(status, code, `no port of pod ${pod} can be forwarded: the server says ${status} ${code}${hint}`, error);
}
