/** What the data planes start from, and what each makes of it. */
import type { EncodedResource, Layer, ResourceId, Subscriber } from "../../xds-server/delta/feed.ts";
import type { Collection, SingletonKey } from "../collections/collection.ts";
import type { InboundResources } from "./inbound-resources.ts";
import type { Inventory } from "./inventory.ts";
import type { OutboundResources } from "./outbound-resources.ts";
import type { Backend, ServicePortOf } from "./service-ports.ts";
import type { RouteTables } from "./service-routes.ts";
import type { MeshSettings } from "./settings.ts";

/** What is the same wherever sidecars run. */
export interface MeshParts {
  readonly settings: Collection<SingletonKey, MeshSettings>;
  readonly inventory: Inventory;
  /** By service port key. */
  readonly ports: Collection<string, ServicePortOf>;
  readonly backends: Collection<string, Backend>;
  readonly routes: RouteTables;
  readonly inbound: InboundResources;
  readonly outbound: OutboundResources;
}

/** How sidecars come to listen: all that depends on where they run. */
export interface PodConfigurations {
  readonly resources: readonly Collection<ResourceId, EncodedResource>[];
  readonly layers: Collection<string, Layer>;
  readonly subscribers: Collection<string, Subscriber>;
}
