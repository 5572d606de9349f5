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
});
