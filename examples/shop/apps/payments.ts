/**
 * Payments checks nothing by itself: it charges whoever asks. Beside HTTP it keeps a ledger that is spoken to over bare
 * TCP: every line that it receives is answered with the balance.
 */
import { createServer } from "node:net";
import { listen, serve } from "./service.ts";

let balance = 1_000;

serve("payments", ({ method, path }) => {
  if (path === "/healthz") return { status: 200, body: { payments: "well" } };
  if (path !== "/charges" || method !== "POST") return { status: 404, body: { error: "no such thing" } };
  balance += 10;
  return { status: 201, body: { charged: 10 } };
});

const ledger = createServer((socket) => {
  socket.on("error", () => socket.destroy());
  socket.on("data", () => socket.write(`balance ${balance}\n`));
});
listen("ledger", ledger, process.env["LEDGER_PORT"]);
