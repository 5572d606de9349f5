/** Orders, in the version that VERSION names. A new order is charged through payments; /orders/events never ends. */
import { callService, serve } from "./service.ts";

const version = process.env["VERSION"] ?? "v1";
const orders = [
  { id: "1", item: "lighthouse", price: 120 },
  { id: "2", item: "buoy", price: 15 },
];

serve(`orders ${version}`, async ({ method, path }, response) => {
  const headers = { "x-orders-version": version };
  const id = /^\/orders\/([^/]+)$/.exec(path)?.[1];
  if (path === "/healthz") return { status: 200, headers, body: { orders: "well" } };
  if (path === "/orders/events") {
    response.writeHead(200, { "content-type": "text/event-stream", ...headers });
    let count = 0;
    const tick = setInterval(() => response.write(`data: ${++count}\n\n`), 50);
    response.once("close", () => clearInterval(tick));
    response.write("data: 0\n\n");
    return undefined;
  }
  if (path === "/orders" && method === "GET") return { status: 200, headers, body: orders };
  if (path === "/orders" && method === "POST") {
    const charge = await callService("POST", "http://payments.shop/charges");
    return { status: charge.status === 201 ? 201 : 502, headers, body: { id: String(orders.length + 1), charge: charge.status } };
  }
  const found = orders.find((order) => order.id === id);
  if (method === "DELETE") return { status: 204, headers };
  return found === undefined ? { status: 404, headers, body: { error: "no such order" } } : { status: 200, headers, body: found };
});
