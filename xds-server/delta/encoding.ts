import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { createHash } from "node:crypto";
import type { EncodedResource } from "./feed.ts";

/**
 * Encodes a resource once for all streams. `message` is the serialized message that `typeUrl` names; `name` its name on
 * the wire. The version is the first 16 hexadecimal digits of the SHA-256 of `message`.
 */
export function encodeResource(typeUrl: string, name: string, message: Uint8Array): EncodedResource {
  const version = createHash("sha256").update(message).digest("hex").slice(0, 16);
  return encodeVersionedResource(typeUrl, name, version, message);
}

/** As {@link encodeResource}, with a version of the caller's making: a certificate's is not a hash of its bytes. */
export function encodeVersionedResource(typeUrl: string, name: string, version: string, message: Uint8Array): EncodedResource {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).string(version);
  writer.tag(2, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).string(typeUrl);
  writer.tag(2, WireType.LengthDelimited).bytes(message);
  writer.join();
  writer.tag(3, WireType.LengthDelimited).string(name);
  return { typeUrl, name, version, entry: writer.finish() };
}

const RESOURCES = tagByte(2);
const TYPE = tagByte(4);
const NONCE = tagByte(5);
const REMOVED_RESOURCES = tagByte(6);

/**
 * A serialized DeltaDiscoveryResponse: the entries as they are, then the removed names; type URL and nonce come last, so
 * that what varies is at the end.
 */
export function encodeResponse(typeUrl: string, entries: readonly Uint8Array[], removed: readonly string[], nonce: string): Buffer {
  let size = fieldSize(Buffer.byteLength(typeUrl)) + fieldSize(Buffer.byteLength(nonce));
  for (const entry of entries) size += fieldSize(entry.byteLength);
  for (const name of removed) size += fieldSize(Buffer.byteLength(name));
  const response = Buffer.allocUnsafe(size);
  let at = 0;
  for (const entry of entries) {
    at = writeHead(response, at, RESOURCES, entry.byteLength);
    response.set(entry, at);
    at += entry.byteLength;
  }
  for (const name of removed) at = writeText(response, at, REMOVED_RESOURCES, name);
  at = writeText(response, at, TYPE, typeUrl);
  writeText(response, at, NONCE, nonce);
  return response;
}

function tagByte(field: number): number {
  return (field << 3) | WireType.LengthDelimited;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++;
  return size;
}

function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

function writeHead(target: Buffer, at: number, tag: number, length: number): number {
  target[at++] = tag;
  let rest = length;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) target[at++] = (rest % 128) | 0x80;
  target[at++] = rest;
  return at;
}

function writeText(target: Buffer, at: number, tag: number, text: string): number {
  const start = writeHead(target, at, tag, Buffer.byteLength(text));
  return start + target.write(text, start);
}
