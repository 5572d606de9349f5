import { describe, expect, it } from "@jest/globals";
import { TYPE_URL } from "./resource-types.ts";
import { ModelMesh } from "./testing/model-mesh.ts";
import { resource } from "./testing/test-feed.ts";

const versions = (...resources: readonly { readonly name: string; readonly version: string }[]): Map<string, string> =>
  new Map(resources.map(({ name, version }) => [name, version]));

describe("subscriptions", () => {
  it("answers a wildcard with everything, and later with what changed", () => {
    const mesh = new ModelMesh();
    mesh.share([resource("cluster", "a"), resource("cluster", "b"), resource("route", "r")]);
    const sidecar = mesh.connect().subscribe("cluster");
    expect(sidecar.settle()).toEqual(["cluster +a,b"]);
    mesh.share([resource("cluster", "a", "2"), resource("cluster", "c"), resource("route", "r", "2")]);
    expect(sidecar.settle()).toEqual(["cluster +a,c -b"]);
  });

  it("answers a wildcard even when there is nothing, so that the sidecar need not wait", () => {
    const mesh = new ModelMesh();
    mesh.share([]);
    expect(mesh.connect().subscribe("listener").settle()).toEqual(["listener"]);
  });

  it("takes an explicit wildcard of any type, and its end", () => {
    const mesh = new ModelMesh();
    mesh.share([resource("route", "r")]);
    const sidecar = mesh.connect().subscribe("route", ["*"]);
    expect(sidecar.settle()).toEqual(["route +r"]);
    sidecar.unsubscribe("route", ["*"]);
    mesh.share([resource("route", "r", "2")]);
    expect(sidecar.settle()).toEqual([]);
    expect(sidecar.subscribe("route", ["*"]).settle()).toEqual(["route +r"]);
  });

  it("is no wildcard when the first request of a type that is reached by name names nothing", () => {
    const mesh = new ModelMesh();
    mesh.share([resource("route", "r")]);
    expect(mesh.connect().subscribe("route").settle()).toEqual([]);
  });

  it("sends by name only what was asked for", () => {
    const mesh = new ModelMesh();
    mesh.share([resource("endpoints", "a"), resource("endpoints", "b")]);
    const sidecar = mesh.connect().subscribe("endpoints", ["a"]);
    expect(sidecar.settle()).toEqual(["endpoints +a"]);
    expect(mesh.share([resource("endpoints", "a"), resource("endpoints", "b", "2")])).toMatchObject({ streamsTouched: 0, bytesQueued: 0 });
    expect(sidecar.settle()).toEqual([]);
    expect(sidecar.subscribe("endpoints", ["b"]).settle()).toEqual(["endpoints +b"]);
    expect(sidecar.unsubscribe("endpoints", ["a"]).settle()).toEqual([]);
    mesh.share([resource("endpoints", "a", "2"), resource("endpoints", "b", "3")]);
    expect(sidecar.settle()).toEqual(["endpoints +b"]);
  });

  it("says at once of an unknown name that there is nothing, and sends it when it comes", () => {
    const mesh = new ModelMesh();
    mesh.share([]);
    const sidecar = mesh.connect().subscribe("endpoints", ["a"]);
    expect(sidecar.settle()).toEqual(["endpoints -a"]);
    mesh.share([resource("endpoints", "a")]);
    expect(sidecar.settle()).toEqual(["endpoints +a"]);
  });

  it("answers a name again that is subscribed to again", () => {
    const mesh = new ModelMesh();
    mesh.share([resource("route", "r")]);
    const sidecar = mesh.connect().subscribe("route", ["r"]);
    sidecar.settle();
    expect(sidecar.subscribe("route", ["r"]).settle()).toEqual(["route +r"]);
  });

  it("tells under a wildcard what becomes of a name that is unsubscribed", () => {
    const mesh = new ModelMesh();
    mesh.share([resource("cluster", "a")]);
    const sidecar = mesh.connect().subscribe("cluster", ["*", "a", "gone"]);
    sidecar.settle();
    expect(sidecar.unsubscribe("cluster", ["a", "gone"]).settle()).toEqual(["cluster +a -gone"]);
  });

  it("shows each subscriber its own resources under a common name", () => {
    const mesh = new ModelMesh();
    const of = (content: string): ReturnType<typeof resource>[] => [resource("listener", "inbound", content)];
    mesh.apply({ layers: { web: of("web"), api: of("api") }, subscribers: { web: ["web"], api: ["api"] } });
    const [web, api] = [mesh.connect("web").subscribe("listener"), mesh.connect("api").subscribe("listener")];
    expect([web.settle(), api.settle()]).toEqual([["listener +inbound"], ["listener +inbound"]]);
    expect(web.has.get(TYPE_URL.listener)).not.toEqual(api.has.get(TYPE_URL.listener));
    expect(mesh.apply({ layers: { web: of("new"), api: of("api") }, subscribers: { web: ["web"], api: ["api"] } }).streamsTouched).toBe(1);
    expect([web.settle(), api.settle()]).toEqual([["listener +inbound"], []]);
  });

  it("sends a sidecar that comes to see other layers only what differs", () => {
    const mesh = new ModelMesh();
    const [a, b, c] = [resource("cluster", "a"), resource("cluster", "b"), resource("cluster", "c")];
    mesh.apply({ layers: { ab: [a, b] }, subscribers: { web: ["ab"] } });
    const sidecar = mesh.connect().subscribe("cluster");
    sidecar.settle();
    mesh.apply({ layers: { bc: [b, c] }, subscribers: { web: ["bc"] } });
    expect(sidecar.settle()).toEqual(["cluster +c -a"]);
  });

  it("ends a stream that asks for absurdly much", () => {
    const mesh = new ModelMesh();
    mesh.share([]);
    const sidecar = mesh.connect();
    sidecar.subscribe(
      "route",
      Array.from({ length: 50_001 }, (_, index) => `r${index}`),
    );
    expect(sidecar.violations).toEqual([`more than 50000 names of ${TYPE_URL.route}`]);
  });
});

describe("a sidecar that reconnects", () => {
  const [a, b, b2, c] = [resource("cluster", "a"), resource("cluster", "b"), resource("cluster", "b", "2"), resource("cluster", "c")];
  const [r, s, s2] = [resource("route", "r"), resource("route", "s"), resource("route", "s", "2")];

  it("is sent only what differs, and what is gone is removed", () => {
    const mesh = new ModelMesh();
    mesh.share([a, b2, r, s2]);
    const sidecar = mesh.connect().subscribe("cluster", [], versions(a, b, c));
    expect(sidecar.settle()).toEqual(["cluster +b -c"]);
    expect(sidecar.subscribe("route", ["r", "s", "t"], versions(r, s, resource("route", "t"))).settle()).toEqual(["route +s -t"]);
  });

  it("is sent no resource when it has everything", () => {
    const mesh = new ModelMesh();
    mesh.share([a, b, r]);
    const sidecar = mesh.connect().subscribe("cluster", [], versions(a, b)).subscribe("route", ["r"], versions(r));
    expect(sidecar.settle()).toEqual(["cluster"]);
  });

  it("gets updates in order, but at once what it lacks", () => {
    const mesh = new ModelMesh();
    mesh.share([a, b2, r, s2]);
    const sidecar = mesh.connect().subscribe("cluster", [], versions(a, b)).subscribe("route", ["r", "s"], versions(s));
    expect(sidecar.received()).toEqual(["cluster +b", "route +r"]);
    sidecar.ack("route");
    expect(sidecar.received()).toEqual([]);
    expect(sidecar.ack("cluster").received()).toEqual(["route +s"]);
  });

  it("is complete, and says so, once it has answered", () => {
    const mesh = new ModelMesh();
    const { sequence } = mesh.share([a, resource("listener", "l")]);
    const sidecar = mesh
      .connect()
      .subscribe("cluster", [], versions(a))
      .subscribe("listener", [], versions(resource("listener", "l")));
    expect(sidecar.stream.synced).toBe(false);
    sidecar.settle();
    expect(sidecar.stream.synced).toBe(true);
    expect(sidecar.acknowledged).toEqual([sequence]);
  });
});

describe("answers", () => {
  it("keep one response of a type on its way, and then send the newest state, not a backlog", () => {
    const mesh = new ModelMesh();
    const routes = (content: string): ReturnType<typeof resource>[] => [resource("route", "r", content), resource("route", "s")];
    mesh.share(routes("1"));
    const sidecar = mesh.connect().subscribe("route", ["r", "s"]);
    sidecar.settle();
    for (const content of ["2", "3", "4"]) mesh.share(routes(content));
    expect(sidecar.received()).toEqual(["route +r"]);
    expect(sidecar.ack().received()).toEqual(["route +r"]);
    expect(sidecar.written.at(-1)?.resources[0]?.version).toBe(resource("route", "r", "4").version);
    expect(sidecar.ack().received()).toEqual([]);
    expect(sidecar.written).toHaveLength(3);
  });

  it("leave everything unsent that the transport has no room for, but its newest state", () => {
    const mesh = new ModelMesh();
    const all = (content: string): ReturnType<typeof resource>[] => [
      resource("cluster", "a", content),
      resource("secret", "trust", content),
    ];
    mesh.share(all("1"));
    const sidecar = mesh.connect().subscribe("cluster").subscribe("secret", ["trust"]);
    mesh.share(all("2"));
    mesh.share(all("3"));
    expect(sidecar.written).toHaveLength(1);
    expect(sidecar.settle()).toEqual(["cluster +a", "secret +trust", "cluster +a"]);
    expect(sidecar.written.at(1)?.resources[0]?.version).toBe(resource("secret", "trust", "3").version);
  });

  it("that are stale change nothing", () => {
    const mesh = new ModelMesh();
    mesh.share([resource("route", "r")]);
    const sidecar = mesh.connect().subscribe("route", ["r"]);
    sidecar.received();
    sidecar.answer("route", "long ago").answer("route", "long ago", "refused");
    expect(sidecar.nacks).toEqual([]);
    mesh.share([resource("route", "r", "2")]);
    expect(sidecar.received()).toEqual([]);
    expect(sidecar.ack().received()).toEqual(["route +r"]);
  });

  it("come with subscriptions as well", () => {
    const mesh = new ModelMesh();
    mesh.share([resource("route", "r"), resource("route", "s")]);
    const sidecar = mesh.connect().subscribe("route", ["r"]);
    sidecar.received();
    const { nonce } = sidecar.unanswered[0]!;
    const none = { unsubscribe: [], initialVersions: new Map<string, string>(), error: undefined, node: undefined };
    sidecar.stream.receive({ kind: "request", typeUrl: TYPE_URL.route, subscribe: ["s"], nonce, ...none });
    expect(sidecar.received()).toEqual(["route +s"]);
  });

  it("tell through which update the sidecar is", () => {
    const mesh = new ModelMesh();
    const all = (content: string): ReturnType<typeof resource>[] => [
      resource("cluster", "a"),
      resource("listener", "l", content),
      resource("route", "r", content),
    ];
    mesh.share(all("1"));
    const sidecar = mesh.connect().subscribe("cluster");
    sidecar.settle();
    expect(sidecar.stream.ackedThrough).toBe(0);
    sidecar.subscribe("listener").received();
    sidecar.subscribe("route", ["r"]).settle();
    expect(sidecar.stream.ackedThrough).toBe(1);
    mesh.share(all("2"));
    sidecar.received();
    expect(sidecar.stream.ackedThrough).toBe(1);
    sidecar.ack().received();
    mesh.apply({ layers: { shared: all("2"), other: [resource("cluster", "z")] }, subscribers: { web: ["shared"] } });
    expect(sidecar.stream.ackedThrough).toBe(1);
    sidecar.ack().received();
    expect(sidecar.stream.ackedThrough).toBe(3);
    expect(sidecar.acknowledged).toEqual([1, 3]);
  });
});

describe("streams that need the same", () => {
  it("get the very same bytes, nonce included, from one encoding", () => {
    const mesh = new ModelMesh();
    const names = ["web-1", "web-2", "web-3"];
    mesh.share([resource("route", "r")], ...names);
    const sidecars = names.map((name) => mesh.connect(name).subscribe("route", ["r"]));
    for (const sidecar of sidecars) sidecar.settle();
    const report = mesh.share([resource("route", "r", "2")], ...names);
    const buffers = sidecars.map(({ written }) => written.at(-1)!.bytes);
    expect(report).toMatchObject({ streamsTouched: 3, bytesQueued: 3 * buffers[0]!.length });
    expect(new Set(buffers).size).toBe(1);
    expect(new Set(sidecars.map(({ written }) => written[0]!.bytes)).size).toBe(1);
  });

  it("are not those that lack more", () => {
    const mesh = new ModelMesh();
    const routes = (r: string, s: string): ReturnType<typeof resource>[] => [resource("route", "r", r), resource("route", "s", s)];
    mesh.share(routes("1", "1"), "quick", "slow");
    const [quick, slow] = [mesh.connect("quick").subscribe("route", ["r", "s"]), mesh.connect("slow").subscribe("route", ["r", "s"])];
    quick.settle();
    slow.received();
    mesh.share(routes("2", "1"), "quick", "slow");
    quick.settle();
    mesh.share(routes("2", "2"), "quick", "slow");
    expect(quick.settle()).toEqual(["route +s"]);
    expect(slow.ack().received()).toEqual(["route +r,s"]);
  });
});
