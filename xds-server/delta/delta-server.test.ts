import { credentials, makeClientConstructor, Metadata, type ServiceDefinition, status } from "@grpc/grpc-js";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "@jest/globals";
import { once } from "node:events";
import { until } from "../../e2e/support/eventually.ts";
import {
  type DeltaDiscoveryResponse,
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import { adsService } from "./ads-service.ts";
import { AuthenticationUnavailable } from "./feed.ts";
import { TYPE_URL } from "./resource-types.ts";
import { FakeClock } from "./testing/fake-clock.ts";
import { TestServer } from "./testing/test-server.ts";
import { resource } from "./testing/test-feed.ts";

const { cluster, listener, route } = TYPE_URL;

describe("a stream", () => {
  it("carries resources, updates and acknowledgements", async () => {
    await using test = await TestServer.start();
    test.admit("t", "shop/web");
    test.share([resource("cluster", "a"), resource("listener", "l")], "shop/web");
    const stream = (await test.connect()).open("t");
    stream.subscribe(cluster);
    expect((await stream.take(cluster)).names).toEqual(["a"]);
    stream.subscribe(listener);
    await stream.take(listener);
    await test.heard("acknowledged shop/web 1");
    const report = test.share([resource("cluster", "a", "2"), resource("listener", "l")], "shop/web");
    const update = await stream.take(cluster);
    expect(report).toEqual({ sequence: 2, streamsTouched: 1, bytesQueued: update.bytes.length });
    expect([...update.versions]).toEqual([["a", resource("cluster", "a", "2").version]]);
    await test.heard("acknowledged shop/web 2");
  });

  it("is spoken as grpc-js and protobuf speak it", async () => {
    await using test = await TestServer.start();
    test.admit("t", "shop/web");
    test.share([resource("cluster", "a")], "shop/web");
    const definition = {
      deltaAggregatedResources: {
        ...adsService.deltaAggregatedResources,
        requestSerialize: (value: Buffer) => value,
        responseDeserialize: (bytes: Buffer) => fromBinary(DeltaDiscoveryResponseSchema, bytes),
      },
    } satisfies ServiceDefinition;
    const Client = makeClientConstructor(definition, "ads");
    const client = new Client(`127.0.0.1:${test.target.port}`, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set("authorization", "Bearer t");
    const call = client.makeBidiStreamRequest(
      definition.deltaAggregatedResources.path,
      definition.deltaAggregatedResources.requestSerialize,
      definition.deltaAggregatedResources.responseDeserialize,
      metadata,
    );
    const request = create(DeltaDiscoveryRequestSchema, { typeUrl: cluster, node: { id: "claimed", userAgentName: "grpc-js" } });
    call.write(Buffer.from(toBinary(DeltaDiscoveryRequestSchema, request)));
    const [response] = (await once(call, "data")) as [DeltaDiscoveryResponse];
    expect(response).toMatchObject({ typeUrl: cluster, resources: [{ name: "a" }] });
    expect(test.server.streams()).toMatchObject([{ subscriber: "shop/web", node: { id: "claimed", version: "grpc-js" } }]);
    call.cancel();
    call.on("error", () => undefined);
    await test.heard("disconnected shop/web client");
    client.close();
  });

  it("reports its state", async () => {
    await using test = await TestServer.start();
    test.admit("t", "shop/web");
    test.share([resource("cluster", "a"), resource("listener", "l"), resource("route", "r"), resource("route", "s")], "shop/web");
    const stream = (await test.connect()).open("t");
    const before = Date.now();
    stream.send({ typeUrl: cluster, nodeId: "anything" });
    await stream.take();
    stream.subscribe(listener);
    await stream.take();
    stream.subscribe(route, ["r", "unknown"]);
    const response = await stream.next(route);
    const [waiting] = test.server.streams();
    expect(waiting).toMatchObject({
      subscriber: "shop/web",
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      node: { id: "anything" },
      held: false,
      synced: false,
      types: [
        { typeUrl: cluster, subscribed: "wildcard", resources: 1, pushes: 1, outstandingSince: undefined, nacks: 0 },
        { typeUrl: listener, subscribed: "wildcard", resources: 1, pushes: 1 },
        { typeUrl: route, subscribed: 2, resources: 1, pushes: 1, outstandingSince: expect.any(Number) },
      ],
    });
    expect(waiting!.connectedAt).toBeGreaterThanOrEqual(before - 1000);
    expect(waiting!.bytesSent).toBe(stream.bytesReceived - 3 * 5);
    stream.nack(response, "no such cluster");
    await test.heard("nack shop/web r,unknown no such cluster");
    expect(test.server.streams()[0]?.types[2]).toMatchObject({ nacks: 1, rejected: ["r"], lastNack: { message: "no such cluster" } });
  });

  it("that is not read delays nobody, and gets the newest state in the end", async () => {
    await using test = await TestServer.start();
    test.admit("quick", "shop/quick");
    test.admit("slow", "shop/slow");
    const big = (content: string): ReturnType<typeof resource>[] => [resource("cluster", "a", content.repeat(300_000))];
    test.share(big("0"), "shop/quick", "shop/slow");
    const quick = (await test.connect()).open("quick");
    const slow = (await test.connect()).open("slow");
    quick.subscribe(cluster);
    await quick.take();
    slow.pause();
    slow.subscribe(cluster);
    const sentToSlow = (): number => test.server.streams().find(({ subscriber }) => subscriber === "shop/slow")?.bytesSent ?? 0;
    await until("the slow one is sent something", () => sentToSlow() > 0);
    for (const content of ["1", "2", "3", "4"]) {
      test.share(big(content), "shop/quick", "shop/slow");
      expect((await quick.take()).resources[0]?.version).toBe(big(content)[0]!.version);
    }
    slow.resume();
    await slow.take();
    expect((await slow.take()).resources[0]?.version).toBe(big("4")[0]!.version);
    await test.heard("connected shop/slow");
    expect(test.server.streams().find(({ subscriber }) => subscriber === "shop/slow")?.types[0]?.pushes).toBe(2);
  });

  it("ends with a clear status when it is not delta xDS", async () => {
    await using test = await TestServer.start();
    test.admit("t", "shop/web");
    test.share([], "shop/web");
    const client = await test.connect();
    const nonsense = client.open("t");
    nonsense.sendRaw(Buffer.concat([Buffer.from([0, 0, 0, 0, 4]), Buffer.from("what")]));
    expect(await nonsense.ended).toMatchObject({ code: status.INVALID_ARGUMENT, message: expect.stringMatching(/^not valid delta xDS: /) });
    const typeless = client.open("t");
    typeless.subscribe("");
    expect(await typeless.ended).toMatchObject({ code: status.INVALID_ARGUMENT, message: "not valid delta xDS: a request names no type" });
    const huge = client.open("t");
    huge.sendRaw(Buffer.from([0, 0x10, 0, 0, 0]));
    expect(await huge.ended).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    await test.heard("refused malformed-request", 2);
    await test.heard("disconnected shop/web protocol-error", 2);
  });
});

describe("a token", () => {
  it("is asked of everybody", async () => {
    await using test = await TestServer.start();
    test.admit("old", "shop/web", -1);
    test.share([], "shop/web");
    const client = await test.connect();
    const refused = async (token: string | undefined): Promise<unknown> => client.open(token).ended;
    expect(await refused(undefined)).toEqual({ code: status.UNAUTHENTICATED, message: "a bearer token is missing" });
    expect(await refused("forged")).toEqual({ code: status.UNAUTHENTICATED, message: "the token is not one of ours" });
    expect(await refused("old")).toEqual({ code: status.UNAUTHENTICATED, message: "the token has expired" });
    expect(test.events).toEqual(["refused unauthenticated", "refused unauthenticated", "refused unauthenticated"]);
    expect(test.lines).toEqual([
      expect.stringMatching(/^xDS: refused a stream from 127\.0\.0\.1:\d+ \(unauthenticated\): a bearer token is missing$/),
    ]);
    expect(test.server.streams()).toEqual([]);
  });

  it("alone says who it is, whatever the sidecar calls itself", async () => {
    await using test = await TestServer.start();
    test.admit("web's", "shop/web");
    test.server.apply(
      test.feed.to({
        layers: { web: [resource("cluster", "for-web")], admin: [resource("cluster", "for-admin")] },
        subscribers: { "shop/web": ["web"], "shop/admin": ["admin"] },
      }),
    );
    const stream = (await test.connect()).open("web's");
    stream.send({ typeUrl: cluster, nodeId: "shop/admin" });
    expect((await stream.next()).names).toEqual(["for-web"]);
  });

  it("that nobody can judge for now is answered so that the sidecar tries again, and is told apart from a refusal", async () => {
    await using test = await TestServer.start({
      authenticator: { authenticate: () => Promise.reject(new AuthenticationUnavailable("the API server does not answer")) },
    });
    const stream = (await test.connect()).open("t");
    expect(await stream.ended).toEqual({ code: status.UNAVAILABLE, message: "the API server does not answer" });
    expect(test.events).toEqual(["refused authentication-unavailable"]);
  });

  it("that is revoked ends its own stream, and not that of the subscriber's next one", async () => {
    await using test = await TestServer.start();
    const revoke = new Map<string, () => void>();
    for (const token of ["old", "new"]) {
      test.tokens.set(token, {
        subscriber: "shop/web",
        expiresAt: Date.now() + 3_600_000,
        onRevoked: (end) => {
          revoke.set(token, end);
          return () => revoke.delete(token);
        },
      });
    }
    test.share([], "shop/web");
    const client = await test.connect();
    const [old, next] = [client.open("old"), client.open("new")];
    await test.heard("connected shop/web", 2);
    revoke.get("old")!();
    expect(await old.ended).toMatchObject({ code: status.NOT_FOUND });
    expect([...revoke.keys()]).toEqual(["new"]);
    next.subscribe(cluster);
    expect(test.server.streams()).toHaveLength(1);
  });

  it("never shows in a log line", async () => {
    await using test = await TestServer.start();
    const client = await test.connect();
    await client.open("s3cret").ended;
    expect(test.lines.join()).not.toContain("s3cret");
  });

  it.each([
    { random: 0, share: 0.85 },
    { random: 0.999, share: 0.9499 },
  ])("that nears its end ends the stream gracefully before: at $share of what is left of its life", async ({ random, share }) => {
    const clock = new FakeClock();
    await using test = await TestServer.start({ clock, random: () => random });
    test.admit("t", "shop/web", 1_000_000, clock.now());
    test.share([resource("cluster", "a")], "shop/web");
    const stream = (await test.connect()).open("t");
    stream.subscribe(cluster);
    await stream.take();
    clock.advance(1_000_000 * share - 1);
    expect(test.server.streams()).toHaveLength(1);
    clock.advance(2);
    expect(await stream.ended).toEqual({ code: status.OK, message: "OK" });
    expect(test.events.at(-1)).toBe("disconnected shop/web token-expiring");
  });

  it("that nears its end cuts off even a client that no longer reads", async () => {
    const clock = new FakeClock();
    await using test = await TestServer.start({ clock, random: () => 0 });
    test.admit("t", "shop/web", 1_000_000, clock.now());
    test.share([resource("cluster", "a", "x".repeat(1_000_000))], "shop/web");
    const stream = (await test.connect()).open("t");
    stream.pause();
    stream.subscribe(cluster);
    await test.heard("connected shop/web");
    await until("it is sent something", () => test.server.streams()[0]?.bytesSent !== 0);
    clock.advance(850_000);
    clock.advance(10_000);
    expect((await stream.ended).code).toBe(status.UNAVAILABLE);
  });
});

describe("a sidecar whose pod is not known yet", () => {
  it("is held, and not sent an empty configuration, until the pod appears", async () => {
    await using test = await TestServer.start();
    test.admit("t", "shop/late");
    test.admit("u", "shop/known");
    const client = await test.connect();
    const late = client.open("t");
    late.subscribe(cluster);
    await test.heard("connected shop/late");
    test.share([resource("cluster", "a")], "shop/known");
    const known = client.open("u");
    known.subscribe(cluster);
    await known.take();
    expect(late.bytesReceived).toBe(0);
    expect(test.server.streams().find(({ subscriber }) => subscriber === "shop/late")).toMatchObject({
      held: true,
      types: [],
      ackedThrough: 0,
    });
    test.share([resource("cluster", "a")], "shop/known", "shop/late");
    expect((await late.take()).names).toEqual(["a"]);
  });

  it("is sent nothing before the first update", async () => {
    await using test = await TestServer.start();
    test.admit("t", "shop/web");
    const stream = (await test.connect()).open("t");
    stream.subscribe(cluster);
    await test.heard("connected shop/web");
    expect(test.server.sequence).toBe(0);
    expect(test.server.streams()).toMatchObject([{ held: true }]);
    test.share([], "shop/web");
    expect((await stream.next()).names).toEqual([]);
  });

  it("is forgotten when it gives up", async () => {
    await using test = await TestServer.start();
    test.admit("t", "shop/late");
    test.share([], "shop/web");
    const stream = (await test.connect()).open("t");
    stream.subscribe(cluster);
    await test.heard("connected shop/late");
    stream.cancel();
    await test.heard("disconnected shop/late client");
    expect(test.server.streams()).toEqual([]);
  });
});

describe("a pod that is deleted", () => {
  it("loses its stream, and a new one is held", async () => {
    await using test = await TestServer.start();
    test.admit("t", "shop/web");
    test.share([], "shop/web");
    const client = await test.connect();
    const stream = client.open("t");
    stream.subscribe(cluster);
    await stream.take();
    test.share([]);
    expect(await stream.ended).toEqual({ code: status.NOT_FOUND, message: "shop/web is no longer in the mesh" });
    client.open("t").subscribe(cluster);
    await test.heard("connected shop/web", 2);
    expect(test.server.streams()).toMatchObject([{ held: true }]);
  });
});

describe("the server", () => {
  it("serves other services on the same port", async () => {
    const text = (value: string): Buffer => Buffer.from(value);
    const definition = {
      renew: {
        ...{ path: "/seawall.v1.Tokens/Renew", requestStream: false, responseStream: false },
        ...{ requestSerialize: text, requestDeserialize: String, responseSerialize: text, responseDeserialize: String },
      },
    } satisfies ServiceDefinition;
    const prefix = "renewed ";
    const implementation = {
      prefix,
      renew(this: { prefix: string }, call: { request: string }, callback: (error: null, value: string) => void): void {
        callback(null, this.prefix + call.request);
      },
    };
    await using test = await TestServer.start({ services: [{ definition, implementation: implementation as never }] });
    const client = new (makeClientConstructor(definition, "tokens"))(`127.0.0.1:${test.target.port}`, credentials.createInsecure());
    const answer = await new Promise((resolve, reject) => {
      client.makeUnaryRequest("/seawall.v1.Tokens/Renew", text, String, "t", (error, value) => (error ? reject(error) : resolve(value)));
    });
    expect(answer).toBe("renewed t");
    client.close();
    expect(test.events).toEqual([]);
  });

  it("ends every stream when it stops, and closes the port", async () => {
    await using test = await TestServer.start();
    test.admit("t", "shop/web");
    test.admit("u", "shop/late");
    test.share([resource("cluster", "a")], "shop/web");
    const [open, held] = [(await test.connect()).open("t"), (await test.connect()).open("u")];
    open.subscribe(cluster);
    await open.take();
    await test.heard("connected shop/late");
    await test.server.stop();
    const stopping = { code: status.UNAVAILABLE, message: "the control plane is stopping" };
    expect(await Promise.all([open.ended, held.ended])).toEqual([stopping, stopping]);
    await expect(test.connect()).rejects.toThrow("ECONNREFUSED");
  });
});
