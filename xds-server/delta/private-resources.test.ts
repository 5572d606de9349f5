import { describe, expect, it } from "@jest/globals";
import { inspect } from "node:util";
import type { EncodedResource, PrivateResources } from "./feed.ts";
import { TYPE_URL } from "./resource-types.ts";
import { ModelMesh } from "./testing/model-mesh.ts";
import { resource } from "./testing/test-feed.ts";

interface Opened {
  readonly subscriber: string;
  readonly name: string;
  readonly knownVersion: string | undefined;
  readonly send: (resource: EncodedResource) => void;
  closed: boolean;
}

/** Issues a certificate at once, unless the sidecar has a good one, and whenever the test rotates. */
class Issuer implements PrivateResources {
  readonly typeUrl = TYPE_URL.secret;
  readonly opened: Opened[] = [];
  good: string | undefined;

  handles(name: string): boolean {
    return name === "identity";
  }

  open(
    subscriber: string,
    name: string,
    knownVersion: string | undefined,
    send: (resource: EncodedResource) => void,
  ): { close: () => void } {
    const opened: Opened = { subscriber, name, knownVersion, send, closed: false };
    this.opened.push(opened);
    if (knownVersion === undefined || knownVersion !== this.good) send(certificate("first"));
    return { close: () => void (opened.closed = true) };
  }
}

const certificate = (key: string): EncodedResource => resource("secret", "identity", `PRIVATE KEY ${key}`);
const trust = resource("secret", "trust");

describe("private resources", () => {
  it("are made for the stream's own subscriber, beside secrets that all share", () => {
    const issuer = new Issuer();
    const mesh = new ModelMesh([issuer]);
    mesh.share([trust], "web", "api");
    const [web, api] = [mesh.connect("web"), mesh.connect("api")];
    expect(web.subscribe("secret", ["identity", "trust"]).settle()).toEqual(["secret +trust", "secret +identity"]);
    expect(api.subscribe("secret", ["identity"]).settle()).toEqual(["secret +identity"]);
    expect(issuer.opened.map(({ subscriber, name }) => [subscriber, name])).toEqual([
      ["web", "identity"],
      ["api", "identity"],
    ]);
    expect(web.stream.types()).toMatchObject([{ subscribed: 2, resources: 2 }]);
  });

  it("are made once for a name that one request repeats", () => {
    const issuer = new Issuer();
    const mesh = new ModelMesh([issuer]);
    mesh.share([trust], "web");
    const web = mesh.connect("web");
    expect(web.subscribe("secret", ["identity", "trust", "identity"]).settle()).toEqual(["secret +trust", "secret +identity"]);
    expect(issuer.opened).toHaveLength(1);
  });

  it("are not sent to a sidecar that reconnects with a good one", () => {
    const issuer = new Issuer();
    issuer.good = "v1";
    const mesh = new ModelMesh([issuer]);
    mesh.share([]);
    const subscribe = (version: string): string[] =>
      mesh
        .connect()
        .subscribe("secret", ["identity"], new Map([["identity", version]]))
        .settle();
    expect(subscribe("v1")).toEqual([]);
    expect(subscribe("v0")).toEqual(["secret +identity"]);
  });

  it("are sent when they are replaced; of several that had to wait, the newest", () => {
    const issuer = new Issuer();
    const mesh = new ModelMesh([issuer]);
    mesh.share([]);
    const sidecar = mesh.connect().subscribe("secret", ["identity"]);
    sidecar.received();
    for (const key of ["second", "third"]) issuer.opened[0]!.send(certificate(key));
    expect(sidecar.received()).toEqual([]);
    expect(sidecar.settle()).toEqual(["secret +identity"]);
    expect(sidecar.has.get(TYPE_URL.secret)?.get("identity")).toBe(certificate("third").version);
  });

  it("are made anew for a sidecar that asks again", () => {
    const issuer = new Issuer();
    const mesh = new ModelMesh([issuer]);
    mesh.share([]);
    const sidecar = mesh.connect().subscribe("secret", ["identity"]);
    sidecar.settle();
    expect(sidecar.subscribe("secret", ["identity"]).settle()).toEqual(["secret +identity"]);
    expect(issuer.opened.map(({ closed, knownVersion }) => [closed, knownVersion])).toEqual([
      [true, undefined],
      [false, undefined],
    ]);
  });

  it("end with the subscription and with the stream, and what comes later is dropped", () => {
    const issuer = new Issuer();
    const mesh = new ModelMesh([issuer]);
    mesh.share([]);
    const sidecar = mesh.connect().subscribe("secret", ["identity"]);
    sidecar.settle();
    sidecar.unsubscribe("secret", ["identity"]);
    expect(issuer.opened[0]?.closed).toBe(true);
    issuer.opened[0]!.send(certificate("late"));
    expect(sidecar.settle()).toEqual([]);
    sidecar.subscribe("secret", ["identity"]).settle();
    sidecar.close();
    expect(issuer.opened[1]?.closed).toBe(true);
    issuer.opened[1]!.send(certificate("later"));
    expect(sidecar.settle()).toEqual([]);
  });

  it("leave no trace in the server: not in its state, not in what it reports", () => {
    const issuer = new Issuer();
    const mesh = new ModelMesh([issuer]);
    mesh.share([trust]);
    const sidecar = mesh.connect().subscribe("secret", ["identity", "trust"]);
    sidecar.received();
    sidecar.ack().received();
    sidecar.nack("bad certificate").received();
    expect(sidecar.nacks).toMatchObject([{ names: ["identity"], message: "bad certificate" }]);
    const everything = inspect([mesh.streams, sidecar.stream.types(), sidecar.nacks], { depth: Infinity, showHidden: true });
    expect(everything).not.toContain("PRIVATE KEY");
    const bytes = Buffer.from("PRIVATE KEY").toString("hex").replace(/../g, "$& ").trim();
    expect(everything).not.toContain(bytes);
  });

  it("do not make their sidecar look behind", () => {
    const issuer = new Issuer();
    const mesh = new ModelMesh([issuer]);
    mesh.share([resource("listener", "l")]);
    const sidecar = mesh.connect().subscribe("listener");
    sidecar.settle();
    sidecar.subscribe("secret", ["identity"]).received();
    expect(sidecar.stream.ackedThrough).toBe(1);
  });

  it("that come at once do not make their sidecar look complete before it is", () => {
    const mesh = new ModelMesh([new Issuer()]);
    mesh.share([resource("listener", "l"), trust]);
    const sidecar = mesh.connect();
    sidecar.subscribe("listener");
    sidecar.subscribe("secret", ["identity", "trust"]);
    expect(sidecar.acknowledged).toEqual([]);
    sidecar.settle();
    expect(sidecar.acknowledged).toEqual([1]);
  });
});
