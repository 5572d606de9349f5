/**
 * `node forwarded-exchange.ts <namespace> <pod> <port> <bytes>...`: forwards the pod's port, and for each number of bytes writes so
 * many to it, all at once and each on a connection of its own. Prints what came back: the number of bytes, or what went wrong.
 */
import { connect } from "node:net";
import { buffer } from "node:stream/consumers";
import { KubernetesApiError } from "../api.ts";
import { connectKubernetes } from "../connect.ts";
import { forwardPort } from "../port-forward.ts";

const [namespace = "", pod = "", port = "", ...sizes] = process.argv.slice(2);
const connection = await connectKubernetes();
try {
  const forwarded = await forwardPort(connection.access, { namespace, pod, port: Number(port) });
  const exchange = async (size: number): Promise<number | string> => {
    const socket = connect(forwarded.port, forwarded.host);
    socket.write(`${size}\n${"x".repeat(size)}`);
    return buffer(socket).then(
      ({ length }) => (length === 0 ? "ended" : length),
      (error: unknown) => (error as NodeJS.ErrnoException).code ?? "failed",
    );
  };
  console.log(JSON.stringify(await Promise.all(sizes.map((size) => exchange(Number(size))))));
  await forwarded.close();
} catch (error) {
  if (!(error instanceof KubernetesApiError)) throw error;
  console.log(JSON.stringify([`${error.status} ${error.code}`]));
} finally {
  connection.close();
}
