import { StateError } from "../../ca/state-error.ts";
import type { StatePlace } from "../../ca/state-parts.ts";
import { type KubernetesApi, KubernetesApiError } from "../kubernetes/api.ts";
import { isRecord, OWN_LABELS, type StoredObject, storedObject } from "./stored-object.ts";
import { TRUST_CONFIG_MAP } from "./trust-config-map.ts";

/** The Secret that holds the keys of the mesh: root, intermediate, and the key of the leaves' versions. */
export const CA_SECRET = "seawall-ca";

/** What a state must hold to be one: everything else can be made from it. */
const ROOT = "root.pem";

export interface StoredParts {
  readonly parts: ReadonlyMap<string, string>;
  readonly object: StoredObject;
}

/** Reads and writes the Secret, each write only over the version that was read before. */
export class CaSecret {
  /** For messages about its content. */
  readonly place: StatePlace;
  readonly #api: KubernetesApi;
  readonly #namespace: string;

  constructor(api: KubernetesApi, namespace: string) {
    this.#api = api;
    this.#namespace = namespace;
    this.place = {
      path: `Secret ${namespace}/${CA_SECRET}`,
      remedies: {
        restore: "Restore the Secret from a backup",
        startOver:
          `scale the control plane to 0, delete this Secret and the ConfigMap ${TRUST_CONFIG_MAP} beside it, and scale up again: ` +
          "a new mesh identity is made, and calls between sidecars fail until every one has reconnected",
        removePart: "Remove that key from the Secret",
      },
    };
  }

  /** The path of the kind, for following it. */
  get collection(): string {
    return `/api/v1/namespaces/${this.#namespace}/secrets`;
  }

  /** Undefined where there is none. Rejects with a KubernetesApiError, or a StateError for what is no state. */
  async read(): Promise<StoredParts | undefined> {
    try {
      return this.parse(await this.#api.get({ path: `${this.collection}/${CA_SECRET}` }));
    } catch (error) {
      if (error instanceof KubernetesApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Puts the parts where `over` was read, or where nothing was. Undefined when somebody else was quicker. */
  async write(parts: ReadonlyMap<string, string>, over: StoredParts | undefined): Promise<StoredParts | undefined> {
    const data = Object.fromEntries([...parts].map(([name, content]) => [name, Buffer.from(content).toString("base64")]));
    const kind = { apiVersion: "v1", kind: "Secret" };
    const made = { ...kind, metadata: { name: CA_SECRET, namespace: this.#namespace, labels: OWN_LABELS }, type: "Opaque", data };
    try {
      return this.parse(
        over === undefined
          ? await this.#api.create({ path: this.collection }, made)
          : await this.#api.replace({ path: `${this.collection}/${CA_SECRET}` }, { ...kind, ...over.object, data }),
      );
    } catch (error) {
      const raced = error instanceof KubernetesApiError && (error.status === 409 || (over !== undefined && error.status === 404));
      if (raced) return undefined;
      throw error;
    }
  }

  /** Throws a StateError when the object does not hold a state. */
  parse(answer: unknown): StoredParts {
    const object = storedObject(answer);
    const parts = new Map<string, string>();
    for (const [name, content] of Object.entries(isRecord(object?.data) ? object.data : {})) {
      parts.set(name, Buffer.from(content, "base64").toString("utf8"));
    }
    if (object === undefined || !parts.has(ROOT)) {
      const { restore, startOver } = this.place.remedies;
      throw new StateError("StateCorrupt", this.place.path, `does not hold ${ROOT}`, `${restore}, or ${startOver}`);
    }
    return { parts, object };
  }
}
