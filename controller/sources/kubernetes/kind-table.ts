/**
 * All objects of one kind as entries of a source. What the server repeats is no news: an object is read again only when it is
 * another one (UID) or another version of it.
 */
import type { KubernetesObject } from "../../../crds/core/object.ts";
import { errorsOf, type Violation } from "../../../crds/core/violation.ts";
import type { Source } from "../../collections/collection.ts";
import { KubernetesApiError } from "../../kubernetes/api.ts";
import { type ObjectIdentity, type Origin, type SourceEntry, sourceKey } from "../../model/source-entry.ts";
import { type KnownKind, validated } from "../known-kind.ts";
import { projected } from "./projection.ts";
import type { ReflectionTarget } from "./reflector.ts";

/** An object as it came, reduced to what is kept. */
export interface ReflectedObject {
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly object: KubernetesObject;
}

interface Row {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly entry: SourceEntry;
}

/** Shared by all objects that nothing is wrong with. */
const NO_WARNINGS: readonly Violation[] = [];

export class KindTable implements ReflectionTarget<ReflectedObject> {
  readonly #known: KnownKind;
  readonly #source: Source<string, SourceEntry>;
  readonly #origin: Origin;
  readonly #rows = new Map<string, Row>();

  /** `server` is what objects name as their origin. */
  constructor(known: KnownKind, source: Source<string, SourceEntry>, server: string) {
    this.#known = known;
    this.#source = source;
    this.#origin = { file: server, line: 0 };
  }

  get size(): number {
    return this.#rows.size;
  }

  read(raw: unknown): ReflectedObject {
    const fields = asFields(raw);
    const metadata = asFields(fields["metadata"]);
    const { name, namespace, uid, resourceVersion } = metadata;
    if (typeof name !== "string" || typeof uid !== "string" || typeof resourceVersion !== "string") {
      throw new KubernetesApiError(200, "Malformed", `the server sent a ${this.#known.kind} without name, uid or resource version`);
    }
    const key = sourceKey(this.#known.kind, typeof namespace === "string" ? namespace : undefined, name);
    return { key, uid, resourceVersion, object: projected(this.#known, fields, metadata) };
  }

  replace(objects: readonly ReflectedObject[]): void {
    const gone = new Set(this.#rows.keys());
    for (const object of objects) {
      gone.delete(object.key);
      this.put(object);
    }
    for (const key of gone) this.#delete(key);
    this.#source.markSynced();
  }

  put({ key, uid, resourceVersion, object }: ReflectedObject): void {
    const former = this.#rows.get(key);
    if (former?.uid === uid && former.resourceVersion === resourceVersion) return;
    // One that was deleted and made anew has nothing in common with the former but its name.
    const entry = this.#entryOf(object, former?.uid === uid ? lastGoodOf(former.entry) : undefined);
    this.#rows.set(key, { uid, resourceVersion, entry });
    this.#source.set(key, entry);
  }

  remove({ key, uid }: ReflectedObject): void {
    if (this.#rows.get(key)?.uid === uid) this.#delete(key);
  }

  #delete(key: string): void {
    this.#rows.delete(key);
    this.#source.delete(key);
  }

  #entryOf(object: KubernetesObject, lastGood: KubernetesObject | undefined): SourceEntry {
    const found = validated(object, this.#known);
    const origin = this.#origin;
    if (errorsOf(found).length === 0) return { state: "valid", object, origin, warnings: found.length === 0 ? NO_WARNINGS : found };
    return {
      state: "invalid",
      identity: identityOf(object),
      origin,
      violations: found,
      ...(lastGood === undefined ? {} : { lastGood }),
      partial: object,
    };
  }
}

function lastGoodOf(entry: SourceEntry): KubernetesObject | undefined {
  return entry.state === "valid" ? entry.object : entry.lastGood;
}

function identityOf({ apiVersion, kind, metadata: { name, namespace } }: KubernetesObject): ObjectIdentity {
  return { apiVersion, kind, ...(namespace === undefined ? {} : { namespace }), name };
}

function asFields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
