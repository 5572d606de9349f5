import type { EncodedResource, PrivateResources } from "../feed.ts";
import { type ApplyReport, MeshStreams } from "../mesh-streams.ts";
import { FakeClock } from "./fake-clock.ts";
import { ModelSidecar } from "./model-sidecar.ts";
import { type MeshState, TestFeed } from "./test-feed.ts";

export const PATIENCE_MS = 10_000;

/** Everything of the server but sockets and tokens. */
export class ModelMesh {
  readonly clock = new FakeClock();
  readonly streams: MeshStreams;
  readonly #feed = new TestFeed();

  constructor(privateResources: readonly PrivateResources[] = []) {
    this.streams = new MeshStreams({ clock: this.clock, privateResources, orderPatienceMs: PATIENCE_MS });
  }

  apply(state: MeshState): ApplyReport {
    return this.streams.apply(this.#feed.to(state)).report;
  }

  /** A mesh in which everybody sees the same. */
  share(resources: readonly EncodedResource[], ...subscribers: readonly string[]): ApplyReport {
    const everybody = subscribers.length > 0 ? subscribers : ["web"];
    return this.apply({ layers: { shared: resources }, subscribers: Object.fromEntries(everybody.map((key) => [key, ["shared"]])) });
  }

  connect(subscriber = "web"): ModelSidecar {
    return new ModelSidecar(this.streams, subscriber);
  }
}
