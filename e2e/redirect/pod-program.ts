/**
 * What runs inside a pod's network namespace: the application, and a caller that does what a test asks of it over a UNIX
 * socket (which network namespaces do not divide). The arguments are the socket's path and the pod's name.
 */
import { createServer } from "node:http";
import { connect } from "node:net";
import { Http1Client } from "../support/http1-client.ts";
import { Http2Client } from "../support/http2-client.ts";
import { startTcpEcho } from "../support/tcp-echo.ts";
import { startUpstream } from "../support/upstream.ts";
import { APPLICATION, type PodCall, type PodConversation, type PodRequest } from "./pod-request.ts";

const [path = "", name = ""] = process.argv.slice(2);

for (const port of [APPLICATION.http, APPLICATION.detectedHttp, APPLICATION.undeclared]) await startUpstream({ name, address: "::", port });
for (const port of [APPLICATION.tcp, APPLICATION.detectedTcp]) await startTcpEcho({ address: "::", port, greeting: `220 ${name}\n` });

async function call({
  address,
  port,
  version = 1,
  method = "GET",
  path: target = "/",
  host = "anything",
  headers = [],
}: PodCall): Promise<unknown> {
  using client = version === 1 ? new Http1Client({ address, port }) : new Http2Client({ address, port });
  return await client.request({ method, path: target, authority: host, headers });
}

/** Connects, says `say` if anything, and tells what came until nothing more is to be expected. */
function talk({ address, port, say, until = 1, patienceMs = 5_000 }: PodConversation): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  let heard = "";
  const socket = connect({ host: address, port }, () => {
    if (say !== undefined) socket.write(say);
  });
  const end = (outcome: string): void => {
    clearTimeout(timer);
    socket.destroy();
    resolve({ heard, outcome });
  };
  const timer = setTimeout(() => end("silence"), patienceMs);
  socket.on("data", (data) => {
    heard += data.toString();
    if (heard.length >= until) end("heard");
  });
  socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  socket.on("close", () => end("closed"));
  return promise;
}

createServer((request, response) => {
  void (async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const asked = JSON.parse(Buffer.concat(chunks).toString()) as PodRequest;
    const answer = await (asked.kind === "call" ? call(asked) : talk(asked)).catch((error: unknown) => ({ failure: String(error) }));
    response.end(JSON.stringify(answer));
  })();
}).listen(path, () => console.log("ready"));
