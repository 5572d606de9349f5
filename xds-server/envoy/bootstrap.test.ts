import { describe, expect, it } from "@jest/globals";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { envoyPath } from "../../tools/fetch-envoy.ts";
import { BootstrapSchema } from "../gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import { sidecarBootstrap } from "./bootstrap.ts";
import { type ControlPlaneTrust, tokenSecretFile } from "./control-plane-cluster.ts";
import { envoyJson } from "./yaml.ts";

const run = promisify(execFile);

/** A bootstrap in a folder that has all that it names. */
async function written(
  host: string,
  trust: (folder: string) => ControlPlaneTrust,
): Promise<{ file: string; folder: string; text: string }> {
  const folder = await mkdtemp(join(tmpdir(), "seawall-bootstrap-"));
  const certificate = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x"];
  await run("openssl", [...certificate, "-keyout", join(folder, "key.pem"), "-out", join(folder, "ca.pem")]);
  await writeFile(join(folder, "sds.json"), JSON.stringify(tokenSecretFile("header.payload.signature")));
  const bootstrap = sidecarBootstrap({
    nodeId: "shop/web",
    nodeCluster: "shop/web",
    adminSocket: join(folder, "admin.sock"),
    controlPlane: { host, port: 15012 },
    trust: trust(folder),
    tokenFile: join(folder, "sds.json"),
    tokenFolder: folder,
  });
  const text = JSON.stringify(envoyJson(BootstrapSchema, bootstrap));
  const file = join(folder, "bootstrap.json");
  await writeFile(file, text);
  return { file, folder, text };
}

const overTls =
  (serverName: string) =>
  (folder: string): ControlPlaneTrust => ({ kind: "tls", serverName, caFile: join(folder, "ca.pem") });

describe("a sidecar's bootstrap", () => {
  it.each([
    ["an address, by DNS name", "127.0.0.1", overTls("localhost")],
    ["an IPv6 address, by address", "::1", overTls("::1")],
    ["a host name", "mesh.internal", overTls("mesh.internal")],
    ["plaintext", "127.0.0.1", (): ControlPlaneTrust => ({ kind: "plaintext" })],
  ])("is accepted by Envoy and holds no token: %s", async (_, host, trust) => {
    const { file, folder, text } = await written(host, trust);
    const { stdout } = await run(envoyPath(), ["--mode", "validate", "--disable-hot-restart", "-l", "warning", "-c", file]);
    expect(stdout).toContain("OK");
    expect(text).not.toContain("header.payload.signature");
    await rm(folder, { recursive: true });
  });

  it("speaks TLS 1.3 alone, post-quantum first, and verifies the name", async () => {
    const { folder, text } = await written("127.0.0.1", overTls("localhost"));
    expect(text).toContain('"tls_minimum_protocol_version":"TLSv1_3","tls_maximum_protocol_version":"TLSv1_3"');
    expect(text).toContain('"ecdh_curves":["X25519MLKEM768","X25519","P-256"]');
    expect(text).toContain('"match_typed_subject_alt_names":[{"san_type":"DNS","matcher":{"exact":"localhost"}}]');
    await rm(folder, { recursive: true });
  });

  it("never serves with nothing: listeners and clusters have no time limit", async () => {
    const { folder, text } = await written("127.0.0.1", overTls("localhost"));
    expect(text.match(/"initial_fetch_timeout":"0s"/g)).toHaveLength(2);
    await rm(folder, { recursive: true });
  });
});
