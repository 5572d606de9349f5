/** The shop's front: customers come here, and it asks orders. Who the customer is, the sidecar has found out. */
import { callService, serve } from "./service.ts";

serve("web", async ({ method, path, headers }) => {
  if (path === "/healthz") return { status: 200, body: { web: "well" } };
  const answer = await callService(method, `http://orders.shop${path}`);
  const body = { customer: headers["x-customer"] ?? "nobody", orders: { status: answer.status, answer: answer.text.trim() } };
  return { status: answer.status, body };
});
