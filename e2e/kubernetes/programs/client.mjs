// The caller of the scenario. It is told over loopback, by `kubectl exec`, what to call: once, or again and again with a
// count of what failed.
import { createServer } from "node:http";
import { connect } from "node:net";

const loads = new Map();

async function call({ url, method = "GET", headers = {}, patience = 60_000 }) {
  try {
    const response = await fetch(url, { method, headers, signal: AbortSignal.timeout(patience) });
    return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
  } catch (error) {
    return { failure: error.cause?.code ?? error.cause?.message ?? error.message };
  }
}

/** Connects, says `say` if anything, and returns what comes until `until` bytes have, the peer ends, or patience runs out. */
function talk({ host, port, say, until = 1, patience = 30_000 }) {
  return new Promise((resolve) => {
    let heard = "";
    const socket = connect(port, host, () => say !== undefined && socket.write(say));
    const end = (outcome) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ heard, outcome });
    };
    const timer = setTimeout(() => end("nothing more came"), patience);
    socket.on("data", (data) => {
      heard += data;
      if (heard.length >= until) end("heard");
    });
    socket.on("error", (error) => end(error.code));
    socket.on("close", () => end("closed"));
  });
}

async function repeat(load) {
  while (!load.stopped) {
    const { status, failure, body } = await call(load.request);
    load.calls += 1;
    if (status === 200) load.answeredBy[JSON.parse(body).server] = (load.answeredBy[JSON.parse(body).server] ?? 0) + 1;
    else if (load.failures.length < 100) load.failures.push({ at: new Date().toISOString(), status, failure, body: body?.slice(0, 200) });
    await new Promise((resolve) => setTimeout(resolve, load.pause));
  }
}

const actions = {
  call,
  talk,
  start({ name, request, workers = 4, pause = 5 }) {
    const load = { request, pause, calls: 0, failures: [], answeredBy: {}, stopped: false };
    load.running = Array.from({ length: workers }, () => repeat(load));
    loads.set(name, load);
    return {};
  },
  look({ name }) {
    const { calls, failures, answeredBy } = loads.get(name);
    return { calls, failures, answeredBy };
  },
  async stop({ name }) {
    const load = loads.get(name);
    load.stopped = true;
    await Promise.all(load.running);
    loads.delete(name);
    return { calls: load.calls, failures: load.failures, answeredBy: load.answeredBy };
  },
};

createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const { action, ...input } = JSON.parse(body);
  response.end(JSON.stringify(await actions[action](input)));
}).listen(7000, "127.0.0.1");
// What it calls from its first moment on.
if (process.env.CALLS) actions.start({ name: "from-the-start", request: { url: process.env.CALLS } });
process.on("SIGTERM", () => process.exit(0));
