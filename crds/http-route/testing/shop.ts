/** The services that examples, goldens and tests route among. */
import { parseAllDocuments } from "yaml";
import type { KnownServicePort, KnownServices, ServicePortAddress } from "../../core/route/services.ts";
import type { HttpRoute } from "../schema.ts";

const http = (number: number, name = "http"): KnownServicePort => ({ number, name, protocol: "HTTP" });
const tcp = (number: number, name: string): KnownServicePort => ({ number, name, protocol: "TCP" });

const SERVICES: Readonly<Record<string, readonly KnownServicePort[]>> = {
  "shop/orders": [http(80), http(8080, "admin"), tcp(5432, "db")],
  "shop/orders-v2": [http(80)],
  "shop/audit": [http(80)],
  "shop/database": [tcp(5432, "db")],
  "shop/database-v2": [tcp(5432, "db")],
  "shop/search": [tcp(9243, "tls")],
  "shop/search-v2": [tcp(9243, "tls")],
  "bank/ledger": [http(80)],
};

/** Nobody is granted anything, and no other kind of route is there. */
export const shop: KnownServices = {
  portsOf: (namespace, service) => SERVICES[`${namespace}/${service}`],
  permits: () => false,
  kindsOn: () => new Set(),
};

export const ORDERS: ServicePortAddress = { namespace: "shop", service: "orders", port: 80 };

/** The documents of a YAML text. */
export function readRoutes(text: string): HttpRoute[] {
  return parseAllDocuments(text).map((document) => document.toJS() as HttpRoute);
}

/** An HTTPRoute on the Service shop/orders with these rules. */
export function ordersRoute(rules: HttpRoute["spec"]["rules"], metadata: Partial<HttpRoute["metadata"]> = {}): HttpRoute {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: "orders", namespace: "shop", ...metadata },
    spec: { parentRefs: [{ group: "", kind: "Service", name: "orders" }], ...(rules === undefined ? {} : { rules }) },
  };
}
