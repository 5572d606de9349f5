// The application of the scenario: HTTP on 8080, a protocol in which the server speaks first on 9000. It ends as a
// well-behaved server does: no new connections, what is under way is finished.
import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { hostname } from "node:os";

const http = createServer((request, response) => {
  request.resume();
  request.on("end", () => {
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({
        server: hostname(),
        version: process.env.VERSION ?? "v1",
        method: request.method,
        path: request.url,
        headers: request.headers,
      }),
    );
  });
});
const tcp = createTcpServer((socket) => {
  socket.on("error", () => socket.destroy());
  socket.write("220 ready\n");
  socket.on("data", (data) => socket.write(`echo ${data}`));
});
http.listen(8080, "::");
tcp.listen(9000, "::");
console.log("listening on 8080 and 9000");

process.on("SIGTERM", () => {
  http.close(() => process.exit(0));
  http.closeIdleConnections();
  tcp.close();
});
