import { GATEWAY_API_GROUP, type RouteReferrer } from "../core/route/services.ts";
import type { ReferenceGrant } from "./schema.ts";

/** Whether the grant, which stands in the service's namespace, lets the route refer to the service. */
export function permitsReference(grant: ReferenceGrant, from: RouteReferrer, service: string): boolean {
  const { spec } = grant;
  return (
    spec.from.some(({ group, kind, namespace }) => group === GATEWAY_API_GROUP && kind === from.kind && namespace === from.namespace) &&
    spec.to.some(({ group, kind, name }) => group === "" && kind === "Service" && (name ?? service) === service)
  );
}
