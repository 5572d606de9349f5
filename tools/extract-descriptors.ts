/**
 * Reads the protobuf descriptors that every Envoy binary carries. They are exactly the API that this binary
 * speaks, so there is no second copy of the .proto files that could drift from it.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, type FileDescriptorProto } from "@bufbuild/protobuf/wkt";

/** Fields of FileDescriptorProto and their wire types; anything else marks the end of a serialized descriptor. */
const WIRE_TYPE_OF_FIELD: ReadonlyMap<number, number> = new Map([
  [1, 2],
  [2, 2],
  [3, 2],
  [4, 2],
  [5, 2],
  [6, 2],
  [7, 2],
  [8, 2],
  [9, 2],
  [10, 0],
  [11, 0],
  [12, 2],
  [14, 0],
]);
const LARGEST_FIELD = 2_000_000;
const PROTO_SUFFIX = Buffer.from(".proto");

/** Every file descriptor found in `binary`, by file name; of several under one name the longest wins. */
export function extractDescriptors(binary: Buffer): Map<string, FileDescriptorProto> {
  const longest = new Map<string, { bytes: number; file: FileDescriptorProto }>();
  for (let at = binary.indexOf(PROTO_SUFFIX); at !== -1; at = binary.indexOf(PROTO_SUFFIX, at + 1)) {
    const start = startOfDescriptor(binary, at + PROTO_SUFFIX.length);
    if (start === undefined) continue;
    const end = endOfDescriptor(binary, start);
    if (end === undefined) continue;
    const file = parse(binary.subarray(start, end));
    if (!file) continue;
    const known = longest.get(file.name);
    if (!known || known.bytes < end - start) longest.set(file.name, { bytes: end - start, file });
  }
  return new Map([...longest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, { file }]) => [name, file]));
}

/** A descriptor starts with field 1 (tag 0x0a), a one-byte length and a file name of just that length. */
function startOfDescriptor(binary: Buffer, endOfName: number): number | undefined {
  for (let length = PROTO_SUFFIX.length + 1; length < 128; length++) {
    const start = endOfName - length - 2;
    if (start < 0) return undefined;
    const first = binary[start + 2];
    if (
      binary[start] === 0x0a &&
      binary[start + 1] === length &&
      first !== undefined &&
      (first === 0x5f || (first >= 0x61 && first <= 0x7a))
    ) {
      return start;
    }
  }
  return undefined;
}

function endOfDescriptor(binary: Buffer, start: number): number | undefined {
  let position = start;
  let seenName = false;
  for (;;) {
    const tag = readVarint(binary, position);
    if (!tag) return undefined;
    const field = Math.floor(tag.value / 8);
    const wireType = tag.value & 7;
    if (WIRE_TYPE_OF_FIELD.get(field) !== wireType) return position;
    if (field === 1) {
      if (seenName) return position;
      seenName = true;
    }
    const next = readVarint(binary, tag.next);
    if (!next) return undefined;
    if (wireType === 2) {
      if (next.value > LARGEST_FIELD) return position;
      position = next.next + next.value;
    } else {
      position = next.next;
    }
  }
}

function readVarint(binary: Buffer, start: number): { value: number; next: number } | undefined {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = binary[start + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, next: start + index + 1 };
  }
  return undefined;
}

function parse(bytes: Buffer): FileDescriptorProto | undefined {
  try {
    return fromBinary(FileDescriptorProtoSchema, bytes);
  } catch {
    return undefined; // a chance match in the binary's other data: it is not a descriptor
  }
}

/** `roots` and all that they import, dependencies first. Throws when an import was not found in the binary. */
export function dependencyClosure(files: ReadonlyMap<string, FileDescriptorProto>, roots: readonly string[]): FileDescriptorProto[] {
  const ordered: FileDescriptorProto[] = [];
  const seen = new Set<string>();
  const visit = (name: string, wantedBy: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    const file = files.get(name);
    if (!file) throw new Error(`the Envoy binary carries no descriptor of ${name}, which ${wantedBy} needs`);
    for (const dependency of file.dependency) visit(dependency, name);
    ordered.push(file);
  };
  for (const root of roots) visit(root, "tools/generate-protobuf.ts");
  return ordered;
}
