/** What a port speaks, as far as Seawall must know: HTTP of which version, or a stream of bytes. */
export type PortProtocol = "http1" | "http2" | "tcp";

const BY_APP_PROTOCOL: Readonly<Record<string, PortProtocol>> = {
  http: "http1",
  "http/1.1": "http1",
  "kubernetes.io/ws": "http1",
  http2: "http2",
  h2c: "http2",
  "kubernetes.io/h2c": "http2",
  grpc: "http2",
  "grpc-web": "http1",
  tcp: "tcp",
  tls: "tcp",
  https: "tcp",
  "kubernetes.io/wss": "tcp",
  mysql: "tcp",
  mongo: "tcp",
  redis: "tcp",
  postgres: "tcp",
  postgresql: "tcp",
};

/**
 * The declared protocol of a port: `appProtocol` first, then the part of the port's name before a dash (`grpc-orders`).
 * A port that declares nothing is HTTP/1 where connections cannot be looked at: Seawall guards APIs. Server-first and
 * other byte protocols are declared as `tcp`.
 */
export function declaredProtocol(port: {
  readonly appProtocol?: string | undefined;
  readonly name?: string | undefined;
}): PortProtocol | undefined {
  const byAppProtocol = port.appProtocol === undefined ? undefined : BY_APP_PROTOCOL[port.appProtocol.toLowerCase()];
  if (byAppProtocol !== undefined) return byAppProtocol;
  const prefix = port.name?.split("-", 1)[0]?.toLowerCase();
  return prefix === undefined ? undefined : BY_APP_PROTOCOL[prefix];
}

/** The two kinds of port that policies tell apart. */
export function policyProtocol(protocol: PortProtocol): "HTTP" | "TCP" {
  return protocol === "tcp" ? "TCP" : "HTTP";
}
