import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AddressSchema } from "../gen/envoy/config/core/v3/address_pb.js";

/** A TCP socket address; `port` 0 lets the system choose, which only tests want. */
export function socketAddress(address: string, port: number): MessageInitShape<typeof AddressSchema> {
  return { address: { case: "socketAddress", value: { address, portSpecifier: { case: "portValue", value: port } } } };
}
