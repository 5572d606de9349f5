import { describe, expect, it } from "@jest/globals";
import type { Container } from "./pod-template.ts";
import { rewriteProbes } from "./rewrite-probes.ts";

const REDIRECTED = { unredirected: new Set<number>(), earlier: new Map<string, never>() };

function rewritten(probe: Container["livenessProbe"], ports: Container["ports"] = []): ReturnType<typeof rewriteProbes> {
  return rewriteProbes({ name: "app", ports, ...(probe === undefined ? {} : { livenessProbe: probe }) }, REDIRECTED);
}

describe("a probe that the kubelet makes over the network", () => {
  it("asks the sidecar, which asks the application what was asked", () => {
    const { container, probes } = rewritten({ httpGet: { path: "/healthz", port: 8080 }, periodSeconds: 3, timeoutSeconds: 2 });
    expect(container.livenessProbe).toEqual({
      httpGet: { path: "/app/livez", port: 15020, scheme: "HTTP" },
      periodSeconds: 3,
      timeoutSeconds: 2,
    });
    expect(probes).toEqual([
      { path: "/app/livez", port: 8080, check: { kind: "http", scheme: "HTTP", path: "/healthz" }, periodSeconds: 3, timeoutSeconds: 2 },
    ]);
  });

  it("keeps its headers", () => {
    const { container } = rewritten({ httpGet: { port: 80, httpHeaders: [{ name: "Host", value: "web" }] } });
    expect(container.livenessProbe?.httpGet?.["httpHeaders"]).toEqual([{ name: "Host", value: "web" }]);
  });

  it("finds a port by its name", () => {
    const ports = [{ name: "admin", containerPort: 9000 }];
    expect(rewritten({ tcpSocket: { port: "admin" } }, ports).probes).toMatchObject([{ port: 9000, check: { kind: "tcp" } }]);
  });

  it("stays as it is where the kubelet will say what is wrong with it", () => {
    const probe = { httpGet: { port: "nowhere" } };
    expect(rewritten(probe)).toEqual({ container: { name: "app", ports: [], livenessProbe: probe }, probes: [] });
  });

  it("stays as it is when it is about another host or is a command", () => {
    expect(rewritten({ httpGet: { port: 80, host: "example.com" } }).probes).toEqual([]);
    expect(rewritten({ exec: { command: ["true"] } }).probes).toEqual([]);
  });

  it("stays as it is when the port is not redirected", () => {
    const container: Container = { name: "app", livenessProbe: { grpc: { port: 9000, service: "" } } };
    expect(rewriteProbes(container, { ...REDIRECTED, unredirected: new Set([9000]) })).toEqual({ container, probes: [] });
  });

  it.each([
    [undefined, "/"],
    ["", "/"],
    ["ready", "/ready"],
    ["/a?b=$(HOME)", "/a?b=$$(HOME)"],
  ])("with the path %p asks for %p, which the kubelet leaves alone", (path, asked) => {
    const httpGet = { port: 80, ...(path === undefined ? {} : { path }) };
    expect(rewritten({ httpGet }).probes).toMatchObject([{ check: { path: asked } }]);
  });
});
