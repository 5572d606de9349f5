import { describe, expect, it } from "@jest/globals";
import type { EncodedResource } from "./feed.ts";
import { TYPE_URL } from "./resource-types.ts";
import { ModelMesh } from "./testing/model-mesh.ts";
import type { ModelSidecar } from "./testing/model-sidecar.ts";
import { resource } from "./testing/test-feed.ts";

const NAMES = ["a", "b", "c", "d", "e"];
const routes = (content: Readonly<Record<string, string>> = {}): EncodedResource[] =>
  NAMES.map((name) => resource("route", name, content[name]));

function sidecarWithRoutes(mesh: ModelMesh): ModelSidecar {
  mesh.share(routes());
  const sidecar = mesh.connect().subscribe("listener").subscribe("route", NAMES);
  sidecar.settle();
  return sidecar;
}

/** Refuses, as Envoy does, every response that has a bad resource in it. */
function settle(sidecar: ModelSidecar, isBad: (name: string) => boolean): string[] {
  const all = sidecar.received();
  while (sidecar.unanswered.length > 0) {
    const bad = sidecar.unanswered[0]!.names.filter(isBad);
    if (bad.length > 0) sidecar.nack("missing ): (");
    else sidecar.ack();
    all.push(...sidecar.received());
  }
  return all;
}

describe("a refused resource", () => {
  it("is recorded with its name and Envoy's words, and not sent again until it changes", () => {
    const mesh = new ModelMesh();
    const sidecar = sidecarWithRoutes(mesh);
    mesh.share(routes({ b: "bad" }));
    sidecar.received();
    sidecar.nack("missing ): (");
    const nack = { typeUrl: TYPE_URL.route, names: ["b"], message: "missing ): (", at: mesh.clock.now(), narrowing: false };
    expect(sidecar.nacks).toEqual([nack]);
    expect(sidecar.stream.types().at(-1)).toMatchObject({ nacks: 1, lastNack: nack, rejected: ["b"] });
    expect(sidecar.stream.synced).toBe(false);
    mesh.share(routes({ b: "bad", c: "2" }));
    expect(sidecar.settle()).toEqual(["route +c"]);
    mesh.share(routes({ b: "mended", c: "2" }));
    expect(sidecar.settle()).toEqual(["route +b"]);
    expect(sidecar.stream.types().at(-1)).toMatchObject({ nacks: 1, rejected: [] });
    expect(sidecar.stream.synced).toBe(true);
  });

  it("keeps no other resource of the same response away, and is found among them", () => {
    const mesh = new ModelMesh();
    const sidecar = sidecarWithRoutes(mesh);
    mesh.share(routes({ a: "2", b: "2", c: "bad", d: "2", e: "2" }));
    const all = settle(sidecar, (name) => name === "c");
    expect(all).toEqual(["route +a,b,c,d,e", "route +a,b,c", "route +a,b", "route +c", "route +d,e"]);
    expect(sidecar.stream.types().at(-1)?.rejected).toEqual(["c"]);
    const has = sidecar.has.get(TYPE_URL.route)!;
    expect([...has].filter(([name, version]) => version === resource("route", name, "2").version).map(([name]) => name)).toEqual([
      "a",
      "b",
      "d",
      "e",
    ]);
    expect(has.get("c")).toBe(resource("route", "c").version);
  });

  it("is found also when it is not the only one", () => {
    const mesh = new ModelMesh();
    const sidecar = sidecarWithRoutes(mesh);
    mesh.share(routes({ a: "bad", b: "2", c: "bad", d: "2", e: "bad" }));
    settle(sidecar, (name) => "ace".includes(name));
    expect([...(sidecar.stream.types().at(-1)?.rejected ?? [])].sort()).toEqual(["a", "c", "e"]);
  });

  it("keeps no removal away that came with it", () => {
    const mesh = new ModelMesh();
    mesh.share([resource("cluster", "old"), resource("cluster", "stays")]);
    const sidecar = mesh.connect().subscribe("cluster");
    sidecar.settle();
    mesh.share([resource("cluster", "bad"), resource("cluster", "stays")]);
    expect(sidecar.received()).toEqual(["cluster +bad -old"]);
    expect(sidecar.nack("constraint violated").received()).toEqual(["cluster -old"]);
    expect(sidecar.nack("for no reason").received()).toEqual([]);
  });

  it("is answered for: the sidecar counts as having judged the update", () => {
    const mesh = new ModelMesh();
    const sidecar = sidecarWithRoutes(mesh);
    const { sequence } = mesh.share(routes({ a: "2", b: "bad" }));
    sidecar.received();
    sidecar.nack("missing ): (").received();
    expect(sidecar.stream.ackedThrough).toBe(sequence - 1);
    settle(sidecar, (name) => name === "b");
    expect(sidecar.stream.ackedThrough).toBe(sequence);
    expect(sidecar.acknowledged.at(-1)).toBe(sequence);
  });

  it("is sent in its newest state while the culprit is still being looked for", () => {
    const mesh = new ModelMesh();
    const sidecar = sidecarWithRoutes(mesh);
    mesh.share(routes({ a: "bad", b: "2" }));
    sidecar.received();
    mesh.share(routes({ a: "mended", b: "2" }));
    sidecar.nack("missing ): (");
    sidecar.settle();
    expect(sidecar.has.get(TYPE_URL.route)?.get("a")).toBe(resource("route", "a", "mended").version);
    expect(sidecar.stream.synced).toBe(true);
  });

  it("is forgotten when it is gone", () => {
    const mesh = new ModelMesh();
    const sidecar = sidecarWithRoutes(mesh);
    mesh.share(routes({ b: "bad" }));
    sidecar.received();
    sidecar.nack("no").received();
    mesh.share(routes().filter(({ name }) => name !== "b"));
    sidecar.settle();
    expect(sidecar.stream.types().at(-1)?.rejected).toEqual([]);
  });

  it("is sent again to a sidecar that asks for it again", () => {
    const mesh = new ModelMesh();
    const sidecar = sidecarWithRoutes(mesh);
    mesh.share(routes({ b: "bad" }));
    sidecar.received();
    sidecar.nack("no").received();
    expect(sidecar.subscribe("route", ["b"]).received()).toEqual(["route +b"]);
  });
});
