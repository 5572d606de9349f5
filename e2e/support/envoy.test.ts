import { describe, expect, it } from "@jest/globals";
import { yamlOf } from "../../xds-server/envoy/yaml.ts";
import { validateWithEnvoy } from "./envoy-validation.ts";
import { startEnvoy } from "./envoy.ts";

const TYPE = "type.googleapis.com/envoy";
const greeting = {
  name: "in",
  address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
  filter_chains: [
    {
      filters: [
        {
          name: "http",
          typed_config: {
            "@type": `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
            stat_prefix: "in",
            access_log: [
              {
                name: "stdout",
                typed_config: {
                  "@type": `${TYPE}.extensions.access_loggers.stream.v3.StdoutAccessLog`,
                  log_format: { text_format_source: { inline_string: "%REQ(:PATH)% %RESPONSE_CODE%\n" } },
                },
              },
            ],
            route_config: {
              virtual_hosts: [
                {
                  name: "all",
                  domains: ["*"],
                  routes: [{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "hi" } } }],
                },
              ],
            },
            http_filters: [{ name: "router", typed_config: { "@type": `${TYPE}.extensions.filters.http.router.v3.Router` } }],
          },
        },
      ],
    },
  ],
};

describe("a real Envoy in a test", () => {
  it("comes up on ports of the system's choice, logs, counts and ends", async () => {
    const envoy = await startEnvoy({ config: { static_resources: { listeners: [greeting] } } });
    await envoy.waitReady();
    const answer = await fetch(`http://127.0.0.1:${await envoy.listenerPort("in")}/seen`);
    expect(await answer.text()).toBe("hi");
    expect(await envoy.stdoutLines.waitFor((line) => line.startsWith("/seen"))).toBe("/seen 200");
    expect((await envoy.stats("^http\\.in\\.downstream_rq_2xx$")).get("http.in.downstream_rq_2xx")).toBe(1);
    const { pid } = envoy;
    await envoy.stop();
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });

  it("says in its own words why it does not come up", async () => {
    const broken = { ...greeting, filter_chains: [{ filters: [{ name: "nonsense" }] }] };
    await expect(startEnvoy({ config: { static_resources: { listeners: [broken] } } })).rejects.toThrow(/nonsense/);
  });

  it("reads our YAML as we meant it, whatever YAML 1.1 makes of bare words", async () => {
    const words = [
      "no",
      "Y",
      "on",
      "OFF",
      "0x10",
      "0o7",
      "010",
      "12:30:45",
      "1e3",
      ".5",
      "+1",
      "null",
      "~",
      "",
      "=",
      "<<",
      "2026-11-21",
      "1_000",
      "a: b",
      "#x",
      "é\n\t\u0001",
    ];
    const node = {
      id: "test",
      cluster: "test",
      metadata: { words, numbers: [1, 0.5, true, null], ...Object.fromEntries(words.map((word) => [`key ${word}`, word])) },
    };
    const envoy = await startEnvoy({ config: yamlOf({ node }) });
    const dump = (await envoy.configDump()) as { configs: { bootstrap?: { node: { metadata: unknown } } }[] };
    expect(dump.configs[0]?.bootstrap?.node.metadata).toEqual(node.metadata);
  });
});

describe("validation in batches by a real Envoy", () => {
  const route = { match: { prefix: "/" }, route: { cluster: "not-there" } };

  it("accepts good ones though they share names and addresses", async () => {
    const listener = { ...greeting, address: { socket_address: { address: "0.0.0.0", port_value: 15006 } } };
    const cluster = { name: "c", type: "STATIC", connect_timeout: "1s" };
    const endpoints = { cluster_name: "c", endpoints: [] };
    const config = { listeners: [listener, listener], clusters: [cluster], endpoints: [endpoints], routes: [route] };
    expect(await validateWithEnvoy([config, { ...config }])).toEqual([{ kind: "accepted" }, { kind: "accepted" }]);
  });

  it("finds the bad ones among the good and says what is wrong with each", async () => {
    const unknownField = { routes: [{ ...route, no_such_field: 1 }] };
    const badRegex = { routes: [{ match: { safe_regex: { regex: "(" } }, route: { cluster: "x" } }] };
    const badCluster = { clusters: [{ name: "c", type: "STATIC", connect_timeout: "-1s" }] };
    const badFilter = {
      httpFilters: [{ name: "f", typed_config: { "@type": `${TYPE}.extensions.filters.http.lua.v3.Lua`, inline_code: "(" } }],
    };
    const badEndpoints = {
      endpoints: [
        {
          cluster_name: "c",
          endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: "x", port_value: 1 } } } }] }],
        },
      ],
    };
    const configs = [{ routes: [route] }, unknownField, badRegex, { routes: [route, route] }, badCluster, badFilter, badEndpoints];
    const verdicts = await validateWithEnvoy(configs);
    const words = verdicts.map((verdict) => (verdict.kind === "accepted" ? "accepted" : verdict.words));
    expect(words[0]).toBe("accepted");
    expect(words[1]).toContain("no_such_field");
    expect(words[2]).toContain("missing )");
    expect(words[3]).toBe("accepted");
    expect(words[4]).toContain("Expected positive duration");
    expect(words[5]).toMatch(/script/i);
    expect(words[6]).toContain("malformed IP address");
  });
});
