import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "@jest/globals";
import { RouteConfigurationSchema } from "../gen/envoy/config/route/v3/route_pb.js";
import { HeaderMutationPerRouteSchema } from "../gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js";
import { any } from "./any.ts";
import { envoyYaml, yamlOf } from "./yaml.ts";

describe("messages as YAML", () => {
  it("prints proto field names with a name first, opens what is packed and sorts map keys", () => {
    const routes = create(RouteConfigurationSchema, {
      name: "r",
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          typedPerFilterConfig: {
            z: any(HeaderMutationPerRouteSchema, {
              mutations: { requestMutations: [{ action: { case: "remove", value: "x-user" } }] },
            }),
            a: any(HeaderMutationPerRouteSchema, {}),
          },
          metadata: { filterMetadata: { z: { b: 1, a: "no" }, seawall: {} } },
        },
      ],
    });
    expect(envoyYaml(RouteConfigurationSchema, routes)).toBe(`name: r
virtual_hosts:
  - name: all
    domains:
      - "*"
    typed_per_filter_config:
      a:
        "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute
      z:
        "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute
        mutations:
          request_mutations:
            - remove: x-user
    metadata:
      filter_metadata:
        seawall: {}
        z:
          a: "no"
          b: 1
`);
  });

  it("quotes what YAML 1.1 would turn into something else", () => {
    expect(yamlOf(["no", "y", "on", "0x10", "12:30:45", "1e3", "null", "~", "010", "plain"])).toBe(
      '- "no"\n- "y"\n- "on"\n- "0x10"\n- "12:30:45"\n- "1e3"\n- "null"\n- "~"\n- "010"\n- plain\n',
    );
  });
});
