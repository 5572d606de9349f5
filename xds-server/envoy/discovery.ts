import type { MessageInitShape } from "@bufbuild/protobuf";
import { ApiVersion, type ConfigSourceSchema } from "../gen/envoy/config/core/v3/config_source_pb.js";

/**
 * "Over the same ADS stream", without a time limit: with Envoy's default of 15 s a sidecar would start to serve with
 * nothing when its control plane is slow.
 */
export const FROM_ADS: MessageInitShape<typeof ConfigSourceSchema> = {
  configSourceSpecifier: { case: "ads", value: {} },
  resourceApiVersion: ApiVersion.V3,
  initialFetchTimeout: { seconds: 0n, nanos: 0 },
};
