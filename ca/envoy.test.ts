import { createPublicKey } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type RunningEnvoy, startEnvoy } from "../e2e/support/envoy.ts";
import { CertificateAuthority } from "./authority.ts";
import { type CertificateContent, certificatePem, signCertificate } from "./certificate.ts";
import { HOUR, MINUTE } from "./clock.ts";
import { readSigningCredential } from "./signing-credential.ts";
import { StateFolder } from "./state-folder.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";

const TYPE = "type.googleapis.com/envoy";

/** Serves one word to whoever shows a certificate that the bundle vouches for, and says who that was. */
function listener(name: string, chainPem: string, keyPem: string, trustPem: string): object {
  const manager = {
    "@type": `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          response_headers_to_add: [{ header: { key: "x-peer", value: "%DOWNSTREAM_PEER_URI_SAN%" } }],
          routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }],
        },
      ],
    },
    http_filters: [{ name: "router", typed_config: { "@type": `${TYPE}.extensions.filters.http.router.v3.Router` } }],
  };
  const tls = {
    "@type": `${TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
    require_client_certificate: true,
    common_tls_context: {
      tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
      tls_certificates: [{ certificate_chain: { inline_string: chainPem }, private_key: { inline_string: keyPem } }],
      validation_context: { trusted_ca: { inline_string: trustPem } },
    },
  };
  return {
    name,
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [{ filters: [{ name: "http", typed_config: manager }], transport_socket: { name: "tls", typed_config: tls } }],
  };
}

/** The peer that Envoy saw, or how it ended the connection. */
async function peerSeenBy(port: number, client: { chainPem: string; keyPem: string }, trustPem: string): Promise<string> {
  const socket = connect({
    ...{ host: "127.0.0.1", port, ca: trustPem, cert: client.chainPem, key: client.keyPem, minVersion: "TLSv1.3" },
    checkServerIdentity: () => undefined,
  });
  const ended = new Promise<string>((resolve) => socket.once("error", (failure) => resolve(String(failure))));
  const answered = (async () => {
    await once(socket, "secureConnect");
    socket.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    return /x-peer: (.*)\r\n/.exec(text)?.[1] ?? `no answer: ${text}`;
  })();
  answered.catch(() => undefined);
  try {
    return await Promise.race([ended, answered]);
  } finally {
    socket.destroy();
  }
}

describe("a real Envoy", () => {
  const folder = temporaryFolder();
  const authority = new CertificateAuthority({ store: StateFolder.open(folder.path, "write"), trustDomain: "cluster.local" });
  const oldTrust = authority.trust.pem;
  const orders = authority.issue({ trustDomain: "cluster.local", namespace: "shop", serviceAccount: "orders" });
  const web = authority.issue({ trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" });
  const webKey = web.key.reveal();
  const foreign = foreignLeaf();
  authority.prepareRoot();
  authority.activateRoot();
  const newWeb = authority.issue({ trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" });
  let envoy: RunningEnvoy;
  const ports = new Map<string, number>();

  /** What the intermediate's key would make for another mesh if it were stolen. */
  function foreignLeaf(): string {
    const state = StateFolder.open(folder.path, "read");
    const intermediate = readSigningCredential(state, "intermediate.pem", state.read("intermediate.pem")!, "intermediate", "cluster.local");
    const content: CertificateContent = {
      ...{ profile: { kind: "leaf" }, subject: { kind: "empty" }, issuer: intermediate.subject, serial: Buffer.of(1) },
      publicKey: createPublicKey(webKey).export({ type: "spki", format: "der" }),
      issuerPublicKey: intermediate.publicKey,
      notBefore: Date.now() - MINUTE,
      notAfter: Date.now() + HOUR,
      names: [{ kind: "uri", uri: "spiffe://elsewhere/ns/shop/sa/web" }],
    };
    return certificatePem(signCertificate(content, intermediate.key)) + intermediate.certificatePem;
  }

  beforeAll(async () => {
    const key = orders.key.reveal();
    envoy = await startEnvoy({
      config: {
        static_resources: {
          listeners: [listener("old", orders.chainPem, key, oldTrust), listener("both", orders.chainPem, key, authority.trust.pem)],
        },
      },
    });
    for (const name of ["old", "both"]) ports.set(name, await envoy.listenerPort(name));
  });
  afterAll(async () => {
    await envoy.stop();
    folder[Symbol.dispose]();
  });

  it("takes a workload's certificate, name constraint and all, and reads its SPIFFE ID", async () => {
    expect(await peerSeenBy(ports.get("old")!, { chainPem: web.chainPem, keyPem: webKey }, oldTrust)).toBe(
      "spiffe://cluster.local/ns/shop/sa/web",
    );
  });

  it("refuses what the same authority signs for another mesh", async () => {
    expect(await peerSeenBy(ports.get("old")!, { chainPem: foreign, keyPem: webKey }, oldTrust)).toMatch(/alert|ECONNRESET/i);
    expect([...(await envoy.stats("fail_verify_error")).values()]).toContain(1);
  });

  it("takes the leaf of a new root only where the bundle with both roots has arrived", async () => {
    const client = { chainPem: newWeb.chainPem, keyPem: newWeb.key.reveal() };
    expect(await peerSeenBy(ports.get("both")!, client, authority.trust.pem)).toBe("spiffe://cluster.local/ns/shop/sa/web");
    expect(await peerSeenBy(ports.get("both")!, { chainPem: web.chainPem, keyPem: webKey }, authority.trust.pem)).toBe(
      "spiffe://cluster.local/ns/shop/sa/web",
    );
    expect(await peerSeenBy(ports.get("old")!, client, authority.trust.pem)).toMatch(/alert|ECONNRESET/i);
  });
});
