/** What the text of one document says: objects of known kinds, each with everything that is wrong with it. */
import { isMap, isSeq, type Node } from "yaml";
import type { KubernetesObject, ObjectMeta } from "../../../crds/core/object.ts";
import { suggestion, nearest } from "../../../crds/core/suggest.ts";
import { errorsOf, violation, type Violation, type ViolationReason, warning } from "../../../crds/core/violation.ts";
import { type ObjectIdentity, sourceKey } from "../../model/source-entry.ts";
import { type KnownKind, validated, withoutNulls } from "../known-kind.ts";
import { inOrder, type PlacedViolation, type Position } from "./located-violation.ts";
import { checkMetadata } from "./metadata.ts";
import { ambiguities, parseYaml, placed, type YamlDocument } from "./yaml-document.ts";

type Fields = Readonly<Record<string, unknown>>;

/** An object that the text has, whole or not. */
export interface ReadObject {
  /** As `sourceKey` gives it. */
  readonly key: string;
  readonly known: KnownKind;
  readonly identity: ObjectIdentity;
  readonly place: Position;
  /** Errors when the state is broken; otherwise nothing but warnings. */
  readonly violations: readonly PlacedViolation[];
  readonly content:
    { readonly state: "valid"; readonly object: KubernetesObject } | { readonly state: "broken"; readonly partial: unknown };
}

export interface ReadDocument {
  readonly objects: readonly ReadObject[];
  /** What is wrong with the parts of the text of which it cannot be said whose they are. */
  readonly problems: readonly PlacedViolation[];
  /**
   * The text may have held other objects before it was broken: its syntax is bad, or the name or kind of something in it
   * is. What the file gave before and gives no longer must then be taken for broken, not for deleted.
   */
  readonly mayHide: boolean;
}

export function readDocument(text: string, kinds: ReadonlyMap<string, KnownKind>): ReadDocument {
  const document = parseYaml(text);
  const { root, value, syntax } = document;
  if (root === undefined) return { objects: [], problems: syntax, mayHide: syntax.length > 0 };
  if (value === null && syntax.length === 0) return { objects: [], problems: [], mayHide: false };
  const reader = new DocumentReader(document, kinds);
  if (isRecord(value) && value["kind"] === "List") reader.readList(root, value);
  else reader.readObject(root, value);
  return reader.result();
}

class DocumentReader {
  readonly #document: YamlDocument;
  readonly #kinds: ReadonlyMap<string, KnownKind>;
  readonly #objects: ReadObject[] = [];
  readonly #problems: PlacedViolation[] = [];
  #mayHide: boolean;

  constructor(document: YamlDocument, kinds: ReadonlyMap<string, KnownKind>) {
    this.#document = document;
    this.#kinds = kinds;
    this.#mayHide = document.syntax.length > 0;
  }

  result(): ReadDocument {
    // Bad syntax belongs to the objects that are in the text; when there are none it stands for itself.
    const problems = this.#objects.length > 0 ? this.#problems : [...this.#document.syntax, ...this.#problems];
    return { objects: this.#objects, problems: inOrder(problems), mayHide: this.#mayHide };
  }

  readList(root: Node, list: Fields): void {
    const { apiVersion, items } = list;
    if (apiVersion !== "v1") this.#refuse(root, "apiVersion", "Invalid", "must be v1: a List is a core kind");
    const nodes = isMap(root) ? root.get("items", true) : undefined;
    if (!Array.isArray(items) || !isSeq<Node>(nodes)) {
      if (items !== undefined && items !== null) this.#refuse(root, "items", "WrongType", "must be a list of objects");
      return;
    }
    for (const [index, item] of nodes.items.entries()) this.readObject(item, items[index]);
  }

  readObject(root: Node, value: unknown): void {
    const identified = this.#identify(root, value);
    if (identified === undefined) return;
    const { known, identity, fields } = identified;
    const found = this.#document.syntax.length > 0 ? [] : this.#check(root, fields, known);
    const violations = inOrder([...this.#document.syntax, ...found]);
    // A name that is wrong may have been another, right one before.
    if (errorsOf(found).some(({ path }) => path === "metadata.name" || path === "metadata.namespace")) this.#mayHide = true;
    this.#objects.push({
      key: sourceKey(known.kind, identity.namespace, identity.name),
      known,
      identity,
      place: placed(this.#document, root, [violation("kind", "UnknownKind", "")])[0] ?? { line: 1, column: 1 },
      violations,
      content:
        errorsOf(violations).length > 0
          ? { state: "broken", partial: fields }
          : { state: "valid", object: withNamespace(fields as unknown as KubernetesObject, identity) },
    });
  }

  /** Everything that is wrong with an object whose identity could be read. */
  #check(root: Node, fields: Fields, known: KnownKind): PlacedViolation[] {
    const conceals = (path: string): boolean => known.confidential.some((field) => isWithin(path, field));
    const unclear = ambiguities(this.#document, root, (path) => isRead(known, path), conceals);
    const found: Violation[] = [];
    const { apiVersion, metadata } = fields;
    if (apiVersion === undefined) found.push(violation("apiVersion", "Required", `is required: ${known.apiVersion}`));
    else if (apiVersion !== known.apiVersion) {
      found.push(violation("apiVersion", "Invalid", `${known.kind} is of ${known.apiVersion}, not of ${JSON.stringify(apiVersion)}`));
    }
    if (known.closed) found.push(...unknownTopLevelFields(fields));
    found.push(...checkMetadata(metadata as Fields, known), ...validated(fields as unknown as KubernetesObject, known));
    // Of what is both unclear and wrong, the unclear spelling is the reason.
    const rest = found.filter(({ path }) => !unclear.some((one) => one.path === path));
    return [...unclear, ...placed(this.#document, root, rest)];
  }

  #identify(root: Node, value: unknown): { known: KnownKind; identity: ObjectIdentity; fields: Fields } | undefined {
    if (!isRecord(value)) {
      this.#refuse(root, "", "Malformed", "must be an object with apiVersion, kind and metadata");
      return undefined;
    }
    const { apiVersion, kind, metadata } = value;
    if (typeof kind !== "string" || kind === "") {
      this.#refuse(root, "kind", kind === undefined ? "Required" : "WrongType", "must be the kind of the object");
      return undefined;
    }
    const known = this.#kinds.get(kind);
    if (known === undefined || isForeign(known, apiVersion)) {
      this.#unknownKind(root, kind, apiVersion);
      return undefined;
    }
    const name = scalarText(isRecord(metadata) ? metadata["name"] : undefined);
    if (!isRecord(metadata) || name === undefined || /[/\s]/.test(name) || name === "") {
      const path = isRecord(metadata) ? "metadata.name" : "metadata";
      const message = `must ${isRecord(metadata) ? "be the name of the object" : "hold the name of the object"}`;
      this.#refuse(root, path, isRecord(metadata) && name !== undefined ? "Invalid" : "Required", message);
      return undefined;
    }
    const written = scalarText(metadata["namespace"]);
    const namespace = known.namespaced ? (written === undefined || /[/\s]/.test(written) ? "default" : written) : undefined;
    const identity = {
      ...(typeof apiVersion === "string" ? { apiVersion } : {}),
      kind,
      ...(namespace === undefined ? {} : { namespace }),
      name,
    };
    return { known, identity, fields: normalised(value, metadata, known) };
  }

  /** An unknown kind of another group is somebody else's; one of ours, or one that is nearly ours, is a mistake. */
  #unknownKind(root: Node, kind: string, apiVersion: unknown): void {
    const names = [...this.#kinds.keys()];
    const group = typeof apiVersion === "string" ? groupOf(apiVersion) : undefined;
    const groups = [...this.#kinds.values()].map((known) => groupOf(known.apiVersion)).filter((known) => known !== "");
    const foreign = this.#kinds.has(kind) || (group !== undefined && !groups.includes(group) && nearest(kind, names) === undefined);
    if (foreign) {
      const ignored = warning("kind", "UnknownKind", `${kind} of ${String(apiVersion)} is no kind that Seawall reads: it is ignored`);
      this.#problems.push(...placed(this.#document, root, [ignored]));
    } else {
      this.#refuse(root, "kind", "UnknownKind", `unknown kind \`${kind}\`${suggestion(kind, names)}`);
    }
  }

  /** Reports what cannot be attributed to an object, and may be the rest of one. */
  #refuse(root: Node, path: string, reason: ViolationReason, message: string): void {
    this.#mayHide = true;
    this.#problems.push(...placed(this.#document, root, [violation(path, reason, message)]));
  }
}

const TOP_LEVEL_FIELDS = ["apiVersion", "kind", "metadata", "spec", "status"];

function unknownTopLevelFields(fields: Fields): Violation[] {
  return Object.keys(fields)
    .filter((field) => !TOP_LEVEL_FIELDS.includes(field))
    .map((field) => violation(field, "UnknownField", `unknown field \`${field}\`${suggestion(field, TOP_LEVEL_FIELDS)}`));
}

/** A kind of somebody else's that happens to have a core kind's name, as Knative's Service. */
function isForeign(known: KnownKind, apiVersion: unknown): boolean {
  if (known.closed || typeof apiVersion !== "string") return false;
  const group = groupOf(apiVersion);
  return group.includes(".") && nearest(group, [groupOf(known.apiVersion)]) === undefined;
}

function groupOf(apiVersion: string): string {
  const slash = apiVersion.lastIndexOf("/");
  return slash === -1 ? "" : apiVersion.slice(0, slash);
}

function isRead(known: KnownKind, path: string): boolean {
  if (known.reads === undefined) return true;
  const general = path.replaceAll(/\[\d+\]/g, "[]");
  return ["apiVersion", "kind", "metadata", ...known.reads].some((field) => isWithin(general, field));
}

function isWithin(path: string, field: string): boolean {
  return path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`);
}

/** A name that was written without quotes may have become a number or a boolean: the object is wrong, but it is known which. */
function scalarText(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

/** In Kubernetes a field that is null is a field that is absent. Where Seawall's own kinds have one, it is a mistake that is told. */
function normalised(fields: Fields, metadata: Fields, known: KnownKind): Fields {
  const object = known.closed ? { ...fields } : (withoutNulls(fields) as Record<string, unknown>);
  return { ...object, metadata: withoutNulls(metadata) };
}

function withNamespace(object: KubernetesObject, identity: ObjectIdentity): KubernetesObject {
  if (identity.namespace === undefined || object.metadata.namespace !== undefined) return object;
  const metadata: ObjectMeta = { ...object.metadata, namespace: identity.namespace };
  return { ...object, metadata };
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
