/** The walk-through: what is tried, what must come of it, and which policy must have decided. */
import { connect } from "node:net";
import { call, type CallAnswer, type CallOptions } from "./call.ts";
import type { Shop } from "./shop.ts";

export interface StepResult {
  readonly expected: string;
  readonly got: string;
  /** What decided, as the access log names it, or what else explains the outcome. */
  readonly reason: string;
  readonly passed: boolean;
}

export interface Step {
  readonly title: string;
  readonly run: (shop: Shop) => Promise<StepResult>;
}

/** One request, what it must be answered, and the policy that the log must name. */
function request(title: string, status: number, policy: string, send: (shop: Shop) => Promise<CallOptions>): Step {
  return {
    title,
    async run(shop) {
      return judge(shop, await call(await send(shop)), status, policy);
    },
  };
}

async function judge(shop: Shop, answer: CallAnswer, status: number, policy: string): Promise<StepResult> {
  const logged = await shop.logs.decisive(answer.requestId);
  const detail = /\{(.*)\}$/
    .exec(logged?.details ?? "")?.[1]
    ?.replaceAll("_", " ")
    .toLowerCase();
  return {
    expected: String(status),
    got: answer.status === 0 ? answer.text : String(answer.status),
    reason: `${logged?.policy ?? "nothing was logged"}${detail === undefined ? "" : ` (${detail})`}`,
    passed: answer.status === status && logged?.policy === policy,
  };
}

const customerAt = async (shop: Shop, token?: Readonly<Record<string, string>>): Promise<CallOptions> => ({
  url: `http://${shop.inbound("web")}/orders`,
  ...(token === undefined ? {} : { token: await shop.token(token) }),
});

const as =
  (pod: string, method: string, url: string) =>
  (shop: Shop): Promise<CallOptions> =>
    Promise.resolve({ method, url, proxy: shop.proxy(pod) });

const LIMIT = 5;
const SPLIT_REQUESTS = 500;
/** Half as many and twice as many as a tenth: five standard deviations of 500 throws away from it. */
const SPLIT_BOUNDS = { least: 17, most: 83 };

export const STEPS: readonly Step[] = [
  request("web reads the orders", 200, "accesspolicy/shop/orders/web-reads", as("web", "GET", "http://orders.shop/orders")),
  request("a customer with a token opens the shop", 200, "accesspolicy/shop/web/customers-read", (shop) =>
    customerAt(shop, { sub: "alice" }),
  ),
  request(
    "orders charges a payment",
    201,
    "accesspolicy/shop/payments/orders-charge",
    as("orders-v1", "POST", "http://payments.shop/charges"),
  ),
  ledgerStep(),
  request("web charges a payment: no policy lets it", 403, "not-visible/shop/web", as("web", "POST", "http://payments.shop/charges")),
  request("payments reads the orders: wrong identity", 403, "default-deny/shop/orders", as("payments", "GET", "http://orders.shop/orders")),
  request("web changes an order: wrong method", 403, "default-deny/shop/orders", as("web", "PUT", "http://orders.shop/orders/1")),
  request(
    "web deletes an order: a Deny rule",
    403,
    "accesspolicy/shop/orders-are-kept/nobody-deletes",
    as("web", "DELETE", "http://orders.shop/orders/1"),
  ),
  request("a caller without identity reads the orders", 403, "mutual-tls/shop/shop/strict", (shop) =>
    Promise.resolve({ url: `http://${shop.inbound("orders-v1")}/orders` }),
  ),
  request("a customer without token", 401, "authenticationpolicy/shop/web", (shop) => customerAt(shop)),
  request("a customer whose token has expired", 401, "authenticationpolicy/shop/web", (shop) =>
    customerAt(shop, { sub: "alice", lifetime: "-600" }),
  ),
  request("a customer whose token says alg: none", 401, "authenticationpolicy/shop/web", (shop) =>
    customerAt(shop, { sub: "alice", alg: "none" }),
  ),
  request("a token of another role", 403, "default-deny/shop/web", (shop) => customerAt(shop, { sub: "mallory", role: "supplier" })),
  {
    title: `carol asks ${LIMIT + 1} times: ${LIMIT} a minute are hers`,
    async run(shop) {
      const asked = await customerAt(shop, { sub: "carol" });
      const statuses: number[] = [];
      for (let time = 0; time < LIMIT; time++) statuses.push((await call(asked)).status);
      const last = await judge(shop, await call(asked), 429, "ratelimitpolicy/shop/web/per-customer");
      return {
        ...last,
        expected: `${LIMIT} x 200, 429`,
        got: `${statuses.filter((status) => status === 200).length} x 200, ${last.got}`,
        passed: last.passed && statuses.every((status) => status === 200),
      };
    },
  },
  request("meanwhile dave", 200, "accesspolicy/shop/web/customers-read", (shop) => customerAt(shop, { sub: "dave" })),
  {
    title: `${SPLIT_REQUESTS} calls to orders: 90 % v1, 10 % v2`,
    async run(shop) {
      const counts = new Map<string, number>();
      const url = { url: "http://orders.shop/orders", proxy: shop.proxy("web") };
      for (let sent = 0; sent < SPLIT_REQUESTS; sent += 20) {
        const answers = await Promise.all(Array.from({ length: 20 }, () => call(url)));
        for (const { status, headers } of answers) {
          const version = status === 200 ? String(headers["x-orders-version"]) : String(status);
          counts.set(version, (counts.get(version) ?? 0) + 1);
        }
      }
      const [v1 = 0, v2 = 0] = [counts.get("v1"), counts.get("v2")];
      return {
        expected: `v1 ~${SPLIT_REQUESTS * 0.9}, v2 ~${SPLIT_REQUESTS * 0.1}`,
        got: [...counts]
          .sort()
          .map(([version, count]) => `${version} ${count}`)
          .join(", "),
        reason: "httproute/shop/orders-canary/canary",
        passed: v1 + v2 === SPLIT_REQUESTS && v2 >= SPLIT_BOUNDS.least && v2 <= SPLIT_BOUNDS.most,
      };
    },
  },
];

function ledgerStep(): Step {
  return {
    title: "orders reads the ledger over TCP",
    async run(shop) {
      const port = (await shop.admin.loopbackPorts()).get("shop/payments/9000") ?? 0;
      const answer = await askLedger(shop.address("orders-v1"), port);
      return {
        expected: "balance",
        got: answer.split(" ")[0] ?? "",
        reason: `payments.shop:9000 is at ${shop.address("orders-v1")}:${port} for orders-v1`,
        passed: answer.startsWith("balance "),
      };
    },
  };
}

function askLedger(host: string, port: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ host, port }, () => socket.write("balance\n"));
  socket.setTimeout(5_000, () => resolve("no answer"));
  socket.once("data", (bytes) => resolve(bytes.toString()));
  socket.once("error", (error) => resolve(error.message));
  socket.once("close", () => resolve("closed"));
  return promise.finally(() => socket.destroy());
}
