import { describe, expect, it } from "@jest/globals";
import { any } from "./any.ts";
import { networkFilter } from "./listener.ts";
import { destinationListener, type DestinationTraffic } from "./redirected-listener.ts";
import { TcpProxySchema } from "../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";

const filters = [networkFilter("bytes", any(TcpProxySchema, { statPrefix: "bytes" }))];

function inspectors(traffic: DestinationTraffic): string[] {
  const listener = destinationListener({ name: "outbound", addresses: ["198.19.0.1"], port: 9000, traffic });
  return listener.listenerFilters.map(({ name }) => name);
}

describe("the listener of a destination", () => {
  it("looks at no connection that can only be bytes, so that a server that speaks first is heard at once", () => {
    expect(inspectors({ kind: "bytes", chains: [{ name: "bytes", serverNames: [], filters }] })).toEqual([]);
    expect(inspectors({ kind: "http", filters })).toEqual([]);
  });

  it("looks at those of which something is to be told: a server's name, or HTTP", () => {
    expect(inspectors({ kind: "bytes", chains: [{ name: "one", serverNames: ["shop.example"], filters }] })).toEqual(["tls-inspector"]);
    expect(inspectors({ kind: "detected", http: filters, bytes: filters })).toEqual(["http-inspector"]);
  });
});
