import { describe, expect, it } from "@jest/globals";
import { compare } from "./comparison.ts";
import { readConfigDump, type RunningConfig, withoutSecrets } from "./config-dump.ts";

const KEY = "-----BEGIN PRIVATE KEY-----\nMIG\n-----END PRIVATE KEY-----\n";

describe("what is shown of a sidecar's configuration", () => {
  it("holds no key, password or token, wherever they stand", () => {
    const dump = {
      configs: [
        {
          tls_certificate: {
            certificate_chain: { inline_string: "CERTIFICATE" },
            private_key: { inline_string: "k" },
            password: { inline_bytes: "p" },
          },
        },
        { deep: [{ generic_secret: { secret: { inline_string: "s" } }, other: KEY }] },
        { header: "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln", kept: "Bearer of news" },
      ],
    };
    expect(withoutSecrets(dump)).toEqual({
      configs: [
        { tls_certificate: { certificate_chain: { inline_string: "CERTIFICATE" }, private_key: "[redacted]", password: "[redacted]" } },
        { deep: [{ generic_secret: "[redacted]", other: "[redacted]" }] },
        { header: "[redacted]", kept: "Bearer of news" },
      ],
    });
  });
});

describe("what a sidecar runs against what it should run", () => {
  const nothing: RunningConfig = { listeners: [], routes: [], clusters: [], endpoints: [], secrets: [], extensions: [] };
  const intended = (type: string, name: string, version: string) => ({ type, name, version, resource: {} });

  it("tells resources that agree from those that are old, refused, missing or too many", () => {
    const running = readConfigDump({
      configs: [
        {
          "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
          dynamic_listeners: [
            { name: "good", active_state: { version_info: "1", listener: { name: "good" } } },
            { name: "old", active_state: { version_info: "1", listener: { name: "old" } } },
            { name: "refused", active_state: { version_info: "1", listener: {} }, error_state: { details: "no such filter" } },
            { name: "extra", active_state: { version_info: "1", listener: {} } },
          ],
        },
        {
          "@type": "type.googleapis.com/envoy.admin.v3.SecretsConfigDump",
          dynamic_active_secrets: [{ name: "identity", version_info: "x", secret: {} }],
        },
      ],
    });
    const { listeners, secrets } = compare(running, [
      intended("Listener", "good", "1"),
      intended("Listener", "old", "2"),
      intended("Listener", "refused", "2"),
      intended("Listener", "missing", "1"),
    ]);
    expect(Object.fromEntries(listeners)).toEqual({
      good: { kind: "as-intended" },
      old: { kind: "other-version", intended: "2" },
      refused: { kind: "refused", words: "no such filter" },
      extra: { kind: "not-intended" },
      missing: { kind: "missing" },
    });
    expect(Object.fromEntries(secrets)).toEqual({ identity: { kind: "own" } });
    expect([...compare(nothing, []).routes]).toEqual([]);
  });

  it("misses an extension only where something that runs asks for it, in whichever of Envoy's sections that is", () => {
    const ecds = (name: string) => ({
      "@type": "type.googleapis.com/envoy.admin.v3.EcdsConfigDump",
      ecds_filters: [{ version_info: "1", ecds_filter: { name } }],
    });
    const filters = ["http", "tcp", "away"].map((name) => ({ name, config_discovery: {} }));
    const running = readConfigDump({
      configs: [
        ecds("http"),
        ecds("tcp"),
        {
          "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
          dynamic_listeners: [{ name: "inbound", active_state: { version_info: "1", listener: { filter_chains: [{ filters }] } } }],
        },
      ],
    });
    const names = ["http", "tcp", "away", "of-no-use"];
    const { extensions } = compare(
      running,
      names.map((name) => intended("TypedExtensionConfig", name, "1")),
    );
    expect(Object.fromEntries(extensions)).toEqual({
      http: { kind: "as-intended" },
      tcp: { kind: "as-intended" },
      away: { kind: "missing" },
    });
  });

  it("takes endpoints that a cluster brings itself for that cluster's own", () => {
    const cluster = (name: string, type: string) => ({ version_info: "1", cluster: { name, type } });
    const endpoint = (name: string) => ({ endpoint_config: { cluster_name: name } });
    const running = readConfigDump({
      configs: [
        {
          "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
          dynamic_active_clusters: [cluster("passthrough", "ORIGINAL_DST"), cluster("outbound", "EDS")],
        },
        {
          "@type": "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump",
          dynamic_endpoint_configs: [endpoint("passthrough"), endpoint("outbound")],
        },
      ],
    });
    expect(Object.fromEntries(compare(running, []).endpoints)).toEqual({
      passthrough: { kind: "own" },
      outbound: { kind: "not-intended" },
    });
  });
});
