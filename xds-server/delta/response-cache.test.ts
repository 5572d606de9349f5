import { describe, expect, it } from "@jest/globals";
import { TableLayer, TableResource, View } from "./resource-table.ts";
import { TYPE_URL } from "./resource-types.ts";
import { ResponseCache } from "./response-cache.ts";
import { resource } from "./testing/test-feed.ts";

/** A resource of a layer that so many subscribers see. */
function seenBy(views: number): TableResource {
  const layer = new TableLayer("layer");
  for (let view = 0; view < views; view++) layer.views.add(new View(`shop/web-${view}`));
  const seen = new TableResource();
  seen.content = resource("route", "r", "content");
  seen.serial = 1;
  seen.layers.add(layer);
  return seen;
}

describe("the response cache", () => {
  it("builds once what several subscribers may need", () => {
    const cache = new ResponseCache();
    const shared = seenBy(2);
    const built = cache.response(TYPE_URL.route, [shared], []);
    cache.rotate();
    expect(cache.response(TYPE_URL.route, [shared], [])).toBe(built);
  });

  it("keeps nothing of what one subscriber alone sees", () => {
    const cache = new ResponseCache();
    const own = seenBy(1);
    const built = cache.response(TYPE_URL.route, [own, seenBy(2)], []);
    const again = cache.response(TYPE_URL.route, [own, seenBy(2)], []);
    expect(again).not.toBe(built);
    expect(again.nonce).not.toBe(built.nonce);
  });
});
