/**
 * Reads DeltaDiscoveryRequest by hand. Envoy's first request carries a node with some 300 extensions of which we
 * want two lines; reading all of it would cost more than everything else that a connection costs.
 */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { messageOf } from "./error-message.ts";

/** What the sidecar says of itself. Never believed: identity comes from the token. */
export interface ClaimedNode {
  readonly id: string;
  /** For example `envoy 1.40.0`. */
  readonly version: string;
  /** The metadata whose values are strings; absent when there is none. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface DeltaRequest {
  readonly kind: "request";
  readonly typeUrl: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly initialVersions: ReadonlyMap<string, string>;
  /** Empty when the request answers no response. */
  readonly nonce: string;
  /** Envoy's words when it rejects. */
  readonly error: string | undefined;
  readonly node: ClaimedNode | undefined;
}

export interface MalformedRequest {
  readonly kind: "malformed";
  readonly message: string;
}

const NONE: readonly string[] = [];
const NO_VERSIONS: ReadonlyMap<string, string> = new Map();

/** Never throws: what cannot be read is the client's mistake and so a value. */
export function readRequest(bytes: Uint8Array): DeltaRequest | MalformedRequest {
  try {
    return read(bytes);
  } catch (error) {
    return { kind: "malformed", message: messageOf(error) };
  }
}

function read(bytes: Uint8Array): DeltaRequest {
  let typeUrl = "";
  let nonce = "";
  let error: string | undefined;
  let node: ClaimedNode | undefined;
  let subscribe: string[] | undefined;
  let unsubscribe: string[] | undefined;
  let initialVersions: Map<string, string> | undefined;
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (wireType !== WireType.LengthDelimited) {
      reader.skip(wireType, field);
      continue;
    }
    switch (field) {
      case 1:
        node = readNode(reader.bytes());
        break;
      case 2:
        typeUrl = reader.string();
        break;
      case 3:
        (subscribe ??= []).push(reader.string());
        break;
      case 4:
        (unsubscribe ??= []).push(reader.string());
        break;
      case 5: {
        const [name = "", version = ""] = readTexts(reader.bytes(), 1, 2);
        (initialVersions ??= new Map()).set(name, version);
        break;
      }
      case 6:
        nonce = reader.string();
        break;
      case 7:
        error = readTexts(reader.bytes(), 2)[0] ?? "";
        break;
      default:
        reader.skip(wireType, field);
    }
  }
  return {
    kind: "request",
    typeUrl,
    subscribe: subscribe ?? NONE,
    unsubscribe: unsubscribe ?? NONE,
    initialVersions: initialVersions ?? NO_VERSIONS,
    nonce,
    error,
    node,
  };
}

/** The texts of the given fields, in their order; undefined where a field is absent. */
function readTexts(bytes: Uint8Array, ...fields: readonly number[]): (string | undefined)[] {
  const texts = fields.map((): string | undefined => undefined);
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    const index = fields.indexOf(field);
    if (index >= 0 && wireType === WireType.LengthDelimited) texts[index] = reader.string();
    else reader.skip(wireType, field);
  }
  return texts;
}

/** envoy.config.core.v3.Node: id 1, metadata 3, user_agent_name 6, user_agent_version 7, user_agent_build_version 8. */
function readNode(bytes: Uint8Array): ClaimedNode {
  let id = "";
  let name = "";
  let version = "";
  let metadata: Record<string, string> = {};
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (wireType !== WireType.LengthDelimited) reader.skip(wireType, field);
    else if (field === 1) id = reader.string();
    else if (field === 3) metadata = readStringFields(reader.bytes());
    else if (field === 6) name = reader.string();
    else if (field === 7) version = reader.string();
    else if (field === 8) version = readBuildVersion(reader.bytes());
    else reader.skip(wireType, field);
  }
  return { id, version: `${name} ${version}`.trim(), ...(Object.keys(metadata).length === 0 ? {} : { metadata }) };
}

/** google.protobuf.Struct: map entries in field 1, of a key (1) and a Value (2), whose text is its field 3. */
function readStringFields(bytes: Uint8Array): Record<string, string> {
  const fields = new Map<string, string>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field !== 1 || wireType !== WireType.LengthDelimited) {
      reader.skip(wireType, field);
      continue;
    }
    const entry = reader.bytes();
    const [key = ""] = readTexts(entry, 1);
    const text = readValueText(entry);
    if (text !== undefined) fields.set(key, text);
  }
  return Object.fromEntries(fields);
}

function readValueText(entry: Uint8Array): string | undefined {
  const reader = new BinaryReader(entry);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 2 && wireType === WireType.LengthDelimited) return readTexts(reader.bytes(), 3)[0];
    reader.skip(wireType, field);
  }
  return undefined;
}

/** envoy.config.core.v3.BuildVersion: a SemanticVersion in field 1. */
function readBuildVersion(bytes: Uint8Array): string {
  const numbers = [0, 0, 0];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field !== 1 || wireType !== WireType.LengthDelimited) {
      reader.skip(wireType, field);
      continue;
    }
    const semantic = new BinaryReader(reader.bytes());
    while (semantic.pos < semantic.len) {
      const [part, partType] = semantic.tag();
      if (partType === WireType.Varint && part >= 1 && part <= 3) numbers[part - 1] = semantic.uint32();
      else semantic.skip(partType, part);
    }
  }
  return numbers.join(".");
}
