/** Every kind, in the order in which help and reference list them. A kind that is not in this list does not exist. */
import { accessPolicy } from "./access-policy/index.ts";
import { authenticationPolicy } from "./authentication-policy/index.ts";
import { clusterAccessPolicy } from "./cluster-access-policy/index.ts";
import type { Kind } from "./core/kind.ts";
import { grpcRoute } from "./grpc-route/index.ts";
import { httpRoute } from "./http-route/index.ts";
import { meshConfig } from "./mesh-config/index.ts";
import { mutualTLSPolicy } from "./mutual-tls-policy/index.ts";
import { rateLimitPolicy } from "./rate-limit-policy/index.ts";
import { referenceGrant } from "./reference-grant/index.ts";
import { tcpRoute } from "./tcp-route/index.ts";
import { tlsRoute } from "./tls-route/index.ts";

export const KINDS = [
  meshConfig,
  mutualTLSPolicy,
  authenticationPolicy,
  accessPolicy,
  clusterAccessPolicy,
  rateLimitPolicy,
  httpRoute,
  grpcRoute,
  tlsRoute,
  tcpRoute,
  referenceGrant,
] as const satisfies readonly Kind[];
