// A gRPC server with the standard health service (grpc.health.v1), which the kubelet's gRPC probes ask. It runs in the image
// of the control plane, which has the library. Over loopback it is told, by `kubectl exec`, to listen and what to answer.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const { Server, ServerCredentials, status } = createRequire("/app/")("@grpc/grpc-js");
const STATUSES = { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2 };
const PORT = 5000;

/** Service -> its status. A service that is not there is answered with NOT_FOUND, as the protocol has it. */
const services = new Map();

// HealthCheckRequest { string service = 1; } and HealthCheckResponse { ServingStatus status = 1; } on the wire.
const check = {
  path: "/grpc.health.v1.Health/Check",
  requestStream: false,
  responseStream: false,
  requestDeserialize: (bytes) => bytes.subarray(2).toString(),
  responseSerialize: (name) => Buffer.from([0x08, STATUSES[name]]),
};

const server = new Server();
server.addService(
  { check },
  {
    check({ request: service }, answer) {
      if (services.has(service)) answer(null, services.get(service));
      else answer({ code: status.NOT_FOUND, details: `unknown service ${service}` });
    },
  },
);

const actions = {
  listen: () =>
    new Promise((resolve, reject) => {
      server.bindAsync(`[::]:${PORT}`, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
    }),
  answer(statuses) {
    for (const [service, name] of Object.entries(statuses)) services.set(service, name);
  },
  forget: ({ service }) => services.delete(service),
};

createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const { action, ...input } = JSON.parse(body);
  await actions[action](input);
  response.end("done");
}).listen(7000, "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
