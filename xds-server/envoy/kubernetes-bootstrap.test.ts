import { describe, expect, it } from "@jest/globals";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { envoyPath } from "../../tools/fetch-envoy.ts";
import { BootstrapSchema } from "../gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import { kubernetesBootstrap, type SidecarProbe, sidecarArguments, SIDECAR_FILES, SIDECAR_FOLDER } from "./kubernetes-bootstrap.ts";
import { envoyJson } from "./yaml.ts";

const run = promisify(execFile);

const PROBES: readonly SidecarProbe[] = [
  { path: "/app/livez", port: 8080, check: { kind: "http", scheme: "HTTP", path: "/healthz?full=1" } },
  { path: "/app/readyz", port: 8443, check: { kind: "http", scheme: "HTTPS", path: "/ready" } },
  { path: "/db/livez", port: 5432, check: { kind: "tcp" }, periodSeconds: 3 },
  { path: "/api/livez", port: 9090, check: { kind: "grpc", service: "orders" }, timeoutSeconds: 2 },
];

function text(ipv6: boolean): string {
  const bootstrap = kubernetesBootstrap({
    nodeCluster: "shop/web",
    controlPlane: { host: "seawall.seawall-system.svc", port: 15010 },
    probes: PROBES,
    podAddress: "10.1.2.3",
    farewellKey: "7d3c",
    ipv6,
  });
  return JSON.stringify(envoyJson(BootstrapSchema, bootstrap));
}

/** Envoy opens the files that a bootstrap names, so the folder of a pod is made elsewhere here. */
async function validated(config: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "seawall-bootstrap-"));
  try {
    const moved = (content: string): string => content.replaceAll(SIDECAR_FOLDER, folder);
    const certificate = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x"];
    await run("openssl", [...certificate, "-keyout", join(folder, "key.pem"), "-out", join(folder, "ca.pem")]);
    await writeFile(join(folder, "token"), "header.payload.signature");
    for (const [name, content] of Object.entries(SIDECAR_FILES)) await writeFile(join(folder, name), moved(content));
    await writeFile(join(folder, "bootstrap.json"), moved(config));
    const { stdout } = await run(envoyPath(), [
      ...sidecarArguments({ nodeId: "shop/web-0" }),
      "--mode",
      "validate",
      "-c",
      join(folder, "bootstrap.json"),
    ]);
    return stdout;
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe("an injected sidecar's bootstrap", () => {
  it.each([true, false])("is accepted by Envoy with probes of every kind (IPv6: %s)", async (ipv6) => {
    expect(await validated(text(ipv6))).toContain("OK");
  });

  it("asks a gRPC server for the service under an authority that every server takes", () => {
    expect(text(true)).toContain('"grpc_health_check":{"service_name":"orders","authority":"localhost:9090"}');
  });

  it("keeps the admin port to the pod, and shows of it outside only whether it is ready and its metrics, and to who knows the key the way to its farewell", () => {
    expect(text(true)).toContain('"admin":{"address":{"socket_address":{"address":"127.0.0.1","port_value":15000}}}');
    const shown = [...text(true).matchAll(/"match":\{"path":"([^"]+)"\},"route":\{"cluster":"admin"/g)].map(([, path]) => path);
    expect(shown).toEqual(["/ready", "/farewell/7d3c", "/stats/prometheus"]);
    expect(text(true)).not.toContain('"prefix":"/');
  });

  it("never serves with nothing: listeners and clusters have no time limit", () => {
    expect(text(true).match(/"initial_fetch_timeout":"0s"/g)).toHaveLength(2);
  });

  it("names the token and the roots, and holds neither", () => {
    expect(Object.keys(SIDECAR_FILES)).toEqual(["token.json", "trust.json"]);
    expect(SIDECAR_FILES["token.json"]).toContain(`${SIDECAR_FOLDER}/token"`);
    expect(SIDECAR_FILES["trust.json"]).toContain(`${SIDECAR_FOLDER}/ca.pem"`);
  });
});
