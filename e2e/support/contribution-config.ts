/** A kind's contribution as Envoy's configuration, by itself: what goldens show, and what a real Envoy is asked about. */
import { create } from "@bufbuild/protobuf";
import type { InboundHttpContribution } from "../../crds/core/contribution.ts";
import { any } from "../../xds-server/envoy/any.ts";
import { HTTP_FILTER_ORDER } from "../../xds-server/envoy/http-filter-order.ts";
import { envoyJson } from "../../xds-server/envoy/yaml.ts";
import { PolicySchema } from "../../xds-server/gen/envoy/config/rbac/v3/rbac_pb.js";
import { VirtualHostSchema } from "../../xds-server/gen/envoy/config/route/v3/route_components_pb.js";
import { JwtAuthenticationSchema } from "../../xds-server/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import { HttpFilterSchema } from "../../xds-server/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { EnvoyConfig } from "./envoy-validation.ts";

export interface ContributionConfig {
  readonly virtual_host: object;
  readonly rbac?: readonly object[];
  readonly strip_request_headers?: readonly string[];
  readonly jwt?: object;
}

/** Everything that a contribution says; what it does not say is left out. */
export function contributionConfig(contribution: InboundHttpContribution): ContributionConfig {
  const { perRoute = {}, variants = [], metadata, rbac, stripRequestHeaders, jwtProviders, jwtRequirements } = contribution;
  const answer = { case: "directResponse", value: { status: 200 } } as const;
  const virtualHost = create(VirtualHostSchema, {
    name: "port",
    domains: ["*"],
    ...(metadata === undefined ? {} : { metadata: { filterMetadata: { seawall: { ...metadata } } } }),
    typedPerFilterConfig: inFilterOrder(perRoute),
    routes: [
      ...variants.map(({ name, match, perRoute: own }) => ({ name, match, action: answer, typedPerFilterConfig: inFilterOrder(own) })),
      { name: "application", match: { pathSpecifier: { case: "prefix", value: "/" } }, action: answer },
    ],
  });
  const jwt = any(JwtAuthenticationSchema, { providers: { ...jwtProviders }, requirementMap: { ...jwtRequirements } });
  const filter = create(HttpFilterSchema, { name: "jwt", configType: { case: "typedConfig", value: jwt } });
  return {
    virtual_host: envoyJson(VirtualHostSchema, virtualHost),
    ...(rbac === undefined || rbac.length === 0
      ? {}
      : { rbac: rbac.map(({ slot, name, policy }) => ({ slot, name, policy: envoyJson(PolicySchema, policy) })) }),
    ...(stripRequestHeaders === undefined ? {} : { strip_request_headers: stripRequestHeaders }),
    ...(jwtProviders === undefined ? {} : { jwt: envoyJson(HttpFilterSchema, filter) }),
  };
}

/** What of it a real Envoy can judge. */
export function judgeable({ virtual_host: virtualHost, jwt }: ContributionConfig): EnvoyConfig {
  return { routeConfigurations: [{ name: "port", virtual_hosts: [virtualHost] }], ...(jwt === undefined ? {} : { httpFilters: [jwt] }) };
}

function inFilterOrder(perRoute: NonNullable<InboundHttpContribution["perRoute"]>): Record<string, NonNullable<(typeof perRoute)["jwt"]>> {
  return Object.fromEntries(
    HTTP_FILTER_ORDER.flatMap((name) => {
      const config = perRoute[name];
      return config === undefined ? [] : [[name, config] as const];
    }),
  );
}
