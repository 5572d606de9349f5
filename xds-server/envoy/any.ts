import { create, type DescMessage, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";

/** Packs a message, written as it would stand in Envoy's YAML, into an Any. Map keys keep the order in which they are written: sort them. */
export function any<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Any {
  return packed(schema, create(schema, init));
}

/** Packs a message that exists already. */
export function packed<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Any {
  return create(AnySchema, { typeUrl: typeUrl(schema), value: toBinary(schema, message) });
}

/** The type URL under which Envoy knows a message. */
export function typeUrl(schema: DescMessage): string {
  return `type.googleapis.com/${schema.typeName}`;
}
