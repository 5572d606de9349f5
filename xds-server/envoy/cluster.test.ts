import { describe, expect, it } from "@jest/globals";
import { ClusterSchema } from "../gen/envoy/config/cluster/v3/cluster_pb.js";
import { applicationCluster } from "./cluster.ts";
import { envoyJson } from "./yaml.ts";

describe("a cluster that leads to an application", () => {
  it.each(["http1", "http2"] as const)(
    "lets go of idle connections (%s) before an application does, which waits five seconds",
    (protocol) => {
      const text = JSON.stringify(envoyJson(ClusterSchema, applicationCluster("inbound/8080", "127.0.0.1", 8080, protocol)));
      const [, seconds] = /"common_http_protocol_options":\{"idle_timeout":"([\d.]+)s"\}/.exec(text) ?? [];
      expect(Number(seconds)).toBeLessThan(5);
    },
  );
});
