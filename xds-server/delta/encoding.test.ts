import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  ResourceSchema,
} from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import { encodeResource, encodeResponse, encodeVersionedResource } from "./encoding.ts";
import { readRequest } from "./request.ts";

const words = fc.array(
  fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 8 }),
    fc.nat(40_000).map((length) => "x".repeat(length)),
  ),
  { maxLength: 5 },
);

describe("encoding", () => {
  it("writes a resource that protobuf reads back", () => {
    const message = Buffer.alloc(70_000, 7);
    const resource = encodeResource("type.googleapis.com/x", "shop/ö", message);
    const read = fromBinary(ResourceSchema, resource.entry);
    expect(read).toMatchObject({ name: "shop/ö", version: resource.version, resource: { typeUrl: "type.googleapis.com/x" } });
    expect(message.equals(read.resource!.value)).toBe(true);
  });

  it("gives equal content an equal version, and another to other content", () => {
    const version = (text: string): string => encodeResource("t", "n", Buffer.from(text)).version;
    expect(version("a")).toBe("ca978112ca1bbdca");
    expect(version("b")).not.toBe(version("a"));
    expect(encodeVersionedResource("t", "n", "mine", Buffer.from("a")).version).toBe("mine");
  });

  it("writes responses that protobuf reads back, whatever their sizes", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40_000), { maxLength: 4 }), words, (sizes, removed) => {
        const entries = sizes.map((size, index) => encodeResource("t", `n${index}`, Buffer.alloc(size, index)).entry);
        const read = fromBinary(DeltaDiscoveryResponseSchema, encodeResponse("type.googleapis.com/x", entries, removed, "17"));
        expect(read).toMatchObject({ typeUrl: "type.googleapis.com/x", nonce: "17", removedResources: removed });
        const values = read.resources.map(({ resource }) => Buffer.from(resource!.value));
        expect(values.map((value, index) => value.equals(Buffer.alloc(sizes[index]!, index)))).toEqual(sizes.map(() => true));
      }),
      { numRuns: 50 },
    );
  });

  it("reads requests as protobuf writes them", () => {
    const request = fc.record({
      typeUrl: fc.string(),
      resourceNamesSubscribe: words,
      resourceNamesUnsubscribe: words,
      initialResourceVersions: fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }),
      responseNonce: fc.string(),
      message: fc.option(fc.string(), { nil: undefined }),
    });
    fc.assert(
      fc.property(request, ({ message, ...fields }) => {
        const bytes = toBinary(
          DeltaDiscoveryRequestSchema,
          create(DeltaDiscoveryRequestSchema, {
            ...fields,
            ...(message === undefined ? {} : { errorDetail: { code: 13, message } }),
            node: {
              id: "web-1",
              metadata: { more: true, adminSocket: "/run/web.sock" },
              userAgentName: "envoy",
              userAgentVersionType: { case: "userAgentBuildVersion", value: { version: { majorNumber: 1, minorNumber: 40, patch: 2 } } },
              extensions: [{ name: "envoy.filters.http.rbac", category: "envoy.filters.http" }],
            },
          }),
        );
        expect(readRequest(bytes)).toEqual({
          kind: "request",
          typeUrl: fields.typeUrl,
          subscribe: fields.resourceNamesSubscribe,
          unsubscribe: fields.resourceNamesUnsubscribe,
          initialVersions: new Map(Object.entries(fields.initialResourceVersions)),
          nonce: fields.responseNonce,
          error: message,
          node: { id: "web-1", version: "envoy 1.40.2", metadata: { adminSocket: "/run/web.sock" } },
        });
      }),
    );
  });

  it("takes any bytes for a request, and says what is wrong with those that are none", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(["request", "malformed"]).toContain(readRequest(bytes).kind);
      }),
    );
    expect(readRequest(Buffer.from("GET / HTTP/1.1\r\n\r\n"))).toEqual({ kind: "malformed", message: expect.any(String) });
  });
});
