import type { ServiceDefinition } from "@grpc/grpc-js";
import { AggregatedDiscoveryService } from "../gen/envoy/service/discovery/v3/ads_pb.js";
import { type DeltaRequest, type MalformedRequest, readRequest } from "./request.ts";

export type IncomingRequest = DeltaRequest | MalformedRequest;

const { deltaAggregatedResources } = AggregatedDiscoveryService.method;

/** Delta ADS as grpc-js wants it described. Responses are bytes already. */
export const adsService = {
  deltaAggregatedResources: {
    path: `/${AggregatedDiscoveryService.typeName}/${deltaAggregatedResources.name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: (): Buffer => {
      throw new Error("the server sends no requests");
    },
    requestDeserialize: (bytes: Buffer): IncomingRequest => readRequest(bytes),
    responseSerialize: (bytes: Buffer): Buffer => bytes,
    responseDeserialize: (bytes: Buffer): Buffer => bytes,
  },
} satisfies ServiceDefinition;
