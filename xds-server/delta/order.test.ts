import { describe, expect, it } from "@jest/globals";
import type { EncodedResource } from "./feed.ts";
import { ModelMesh, PATIENCE_MS } from "./testing/model-mesh.ts";
import type { ModelSidecar } from "./testing/model-sidecar.ts";
import { resource, type TypeName } from "./testing/test-feed.ts";

const ALL: readonly TypeName[] = ["cluster", "endpoints", "secret", "listener", "extensionConfig", "route"];
const each = (name: string, content = "1", types: readonly TypeName[] = ALL): EncodedResource[] =>
  types.map((type) => resource(type, name, content));

/** A sidecar that is subscribed to every type and has what there is. */
function completeSidecar(mesh: ModelMesh, names: readonly string[]): ModelSidecar {
  const sidecar = mesh.connect();
  for (const type of ALL) sidecar.subscribe(type, type === "cluster" || type === "listener" ? [] : names);
  sidecar.settle();
  return sidecar;
}

describe("the order of types", () => {
  it("brings what is referred to before the reference, and waits for the sidecar in between", () => {
    const mesh = new ModelMesh();
    mesh.share(each("a"));
    const sidecar = completeSidecar(mesh, ["a"]);
    mesh.share(each("a", "2"));
    expect(sidecar.received()).toEqual(["cluster +a", "endpoints +a", "secret +a"]);
    expect(sidecar.ack("endpoints").ack("secret").received()).toEqual([]);
    expect(sidecar.ack("cluster").received()).toEqual(["listener +a"]);
    expect(sidecar.ack("listener").received()).toEqual(["extensionConfig +a"]);
    expect(sidecar.ack("extensionConfig").received()).toEqual(["route +a"]);
  });

  it("goes on after a refusal as after an acceptance", () => {
    const mesh = new ModelMesh();
    mesh.share([resource("cluster", "a"), resource("route", "r")]);
    const sidecar = completeSidecar(mesh, ["r"]);
    mesh.share([resource("cluster", "a", "2"), resource("route", "r", "2")]);
    expect(sidecar.received()).toEqual(["cluster +a"]);
    expect(sidecar.nack("bad cluster").received()).toEqual(["route +r"]);
  });

  it("takes away what refers before what it refers to, once everything new is accepted", () => {
    const mesh = new ModelMesh();
    mesh.share([...each("old"), resource("route", "stays")]);
    const sidecar = completeSidecar(mesh, ["old", "stays"]);
    mesh.share([resource("cluster", "new"), resource("route", "stays", "2")]);
    expect(sidecar.received()).toEqual(["cluster +new"]);
    expect(sidecar.ack().received()).toEqual(["route +stays"]);
    const removals = ["listener -old", "extensionConfig -old", "route -old", "cluster -old", "endpoints -old", "secret -old"];
    for (const removal of removals) expect(sidecar.ack().received()).toEqual([removal]);
    expect(sidecar.ack().received()).toEqual([]);
  });

  it("needs no removal of what the sidecar unsubscribed once nothing referred to it", () => {
    const mesh = new ModelMesh();
    mesh.share(each("old", "1", ["cluster", "endpoints"]));
    const sidecar = completeSidecar(mesh, ["old"]);
    mesh.share([]);
    expect(sidecar.received()).toEqual(["cluster -old"]);
    expect(sidecar.unsubscribe("endpoints", ["old"]).ack().received()).toEqual([]);
  });

  it("combines what comes and goes when only one type changes", () => {
    const mesh = new ModelMesh();
    mesh.share(each("old", "1", ["cluster"]));
    const sidecar = completeSidecar(mesh, []);
    mesh.share(each("new", "1", ["cluster"]));
    expect(sidecar.settle()).toEqual(["cluster +new -old"]);
  });

  it("keeps what comes back before its removal was sent", () => {
    const mesh = new ModelMesh();
    mesh.share([resource("cluster", "a"), resource("route", "r")]);
    const sidecar = completeSidecar(mesh, ["r"]);
    mesh.share([resource("route", "r", "2")]);
    expect(sidecar.received()).toEqual(["route +r"]);
    mesh.share([resource("cluster", "a"), resource("route", "r", "2")]);
    expect(sidecar.settle()).not.toContain("cluster -a");
  });

  it("never delays what the sidecar has just asked for", () => {
    const mesh = new ModelMesh();
    mesh.share(each("a"));
    const sidecar = completeSidecar(mesh, ["a"]);
    mesh.share([...each("a"), ...each("b")]);
    expect(sidecar.received()).toEqual(["cluster +b"]);
    expect(sidecar.subscribe("route", ["b"]).subscribe("endpoints", ["b"]).received()).toEqual(["route +b", "endpoints +b"]);
  });

  it("does not let endpoints that never rest hold up a policy", () => {
    const mesh = new ModelMesh();
    const both = (endpoints: string, route: string): EncodedResource[] => [
      resource("endpoints", "a", endpoints),
      resource("route", "r", route),
    ];
    mesh.share(both("1", "1"));
    const sidecar = completeSidecar(mesh, ["a", "r"]);
    mesh.share(both("2", "2"));
    expect(sidecar.received()).toEqual(["endpoints +a"]);
    mesh.share(both("3", "2"));
    expect(sidecar.ack().received()).toEqual(["endpoints +a", "route +r"]);
  });

  it("holds also for what waits while a type that comes earlier waits itself", () => {
    const mesh = new ModelMesh();
    const all = (cluster: string, listener: string, route: string): EncodedResource[] => [
      resource("cluster", "a", cluster),
      resource("listener", "l", listener),
      resource("route", "r", route),
    ];
    mesh.share(all("1", "1", "1"));
    const sidecar = completeSidecar(mesh, ["r"]);
    mesh.share(all("2", "2", "2"));
    mesh.share(all("3", "2", "2"));
    mesh.share(all("3", "3", "2"));
    expect(sidecar.received()).toEqual(["cluster +a"]);
    expect(sidecar.ack().received()).toEqual(["cluster +a"]);
    expect(sidecar.ack().received()).toEqual(["listener +l"]);
    expect(sidecar.ack().received()).toEqual(["route +r"]);
  });

  it("is given up for a type whose answer does not come, and later types are not kept from that again", () => {
    const mesh = new ModelMesh();
    const both = (content: string): EncodedResource[] => [resource("cluster", "a", content), resource("route", "r", content)];
    mesh.share(both("1"));
    const sidecar = completeSidecar(mesh, ["r"]);
    mesh.share(both("2"));
    expect(sidecar.received()).toEqual(["cluster +a"]);
    mesh.clock.advance(PATIENCE_MS - 1);
    expect(sidecar.received()).toEqual([]);
    mesh.clock.advance(1);
    expect(sidecar.received()).toEqual(["route +r"]);
    sidecar.ack("route");
    mesh.share([resource("cluster", "a", "2"), resource("route", "r", "3")]);
    expect(sidecar.received()).toEqual(["route +r"]);
  });

  it("lets the next response of a type follow when the answer to the last is long overdue", () => {
    const mesh = new ModelMesh();
    mesh.share(each("stuck", "1", ["cluster"]));
    const sidecar = completeSidecar(mesh, []);
    mesh.share(each("stuck", "2", ["cluster"]));
    sidecar.received();
    mesh.share(each("mended", "1", ["cluster"]));
    expect(sidecar.received()).toEqual([]);
    mesh.clock.advance(PATIENCE_MS);
    expect(sidecar.received()).toEqual(["cluster +mended -stuck"]);
    const [first] = sidecar.unanswered;
    expect(sidecar.stream.ackedThrough).toBe(1);
    sidecar.answer("cluster", first!.nonce);
    expect(sidecar.stream.ackedThrough).toBe(2);
  });

  it("leaves no timer behind", () => {
    const mesh = new ModelMesh();
    mesh.share(each("a"));
    const sidecar = completeSidecar(mesh, ["a"]);
    mesh.share(each("a", "2"));
    sidecar.received();
    expect(mesh.clock.pending).toBe(1);
    sidecar.close();
    expect(mesh.clock.pending).toBe(0);
  });
});

describe("a cluster that is updated", () => {
  const state = (content: string): EncodedResource[] => [
    resource("cluster", "a", content),
    resource("endpoints", "a"),
    resource("endpoints", "b"),
  ];

  it("gets its endpoints again: Envoy waits for them and does not ask", () => {
    const mesh = new ModelMesh();
    mesh.share(state("1"));
    const sidecar = completeSidecar(mesh, ["a", "b"]);
    mesh.share(state("2"));
    expect(sidecar.settle()).toEqual(["cluster +a", "endpoints +a"]);
  });

  it("gets them again also when the sidecar has just reconnected and knows them", () => {
    const mesh = new ModelMesh();
    mesh.share(state("2"));
    const knows = (...resources: readonly EncodedResource[]): Map<string, string> =>
      new Map(resources.map(({ name, version }) => [name, version]));
    const sidecar = mesh.connect().subscribe("cluster", [], knows(resource("cluster", "a", "1")));
    sidecar.subscribe("endpoints", ["a", "b"], knows(resource("endpoints", "a"), resource("endpoints", "b")));
    expect(sidecar.settle()).toEqual(["cluster +a", "endpoints +a"]);
  });
});
