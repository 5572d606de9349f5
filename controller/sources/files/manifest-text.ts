/** From a file's bytes to the texts of its documents. */
import { isUtf8 } from "node:buffer";
import { violation } from "../../../crds/core/violation.ts";
import type { PlacedViolation } from "./located-violation.ts";

export type ManifestText =
  { readonly kind: "text"; readonly text: string } | { readonly kind: "refused"; readonly problem: PlacedViolation };

/** The text of a file; only UTF-8 without control characters is one. A byte order mark is taken away. */
export function decodeManifest(bytes: Buffer): ManifestText {
  if (bytes.length >= 2 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))) {
    return refused(1, 1, "is UTF-16: save the file as UTF-8");
  }
  if (!isUtf8(bytes)) return refused(firstLineThatIsNotUtf8(bytes), 1, "is not UTF-8: save the file as UTF-8");
  const text = bytes.toString("utf8", bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? 3 : 0);
  const control = CONTROL_CHARACTER.exec(text);
  if (control === null) return { kind: "text", text };
  const before = text.slice(0, control.index);
  const line = before.split("\n").length;
  const code = control[0].charCodeAt(0).toString(16).padStart(4, "0").toUpperCase();
  const name = code === "0000" ? "a NUL character" : `the control character U+${code}`;
  return refused(line, control.index - before.lastIndexOf("\n"), `holds ${name}, which no YAML text may`);
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const CONTROL_CHARACTER = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/;

function refused(line: number, column: number, message: string): ManifestText {
  return { kind: "refused", problem: { ...violation("", "Malformed", message), line, column } };
}

function firstLineThatIsNotUtf8(bytes: Buffer): number {
  let start = 0;
  for (let line = 1; ; line++) {
    const end = bytes.indexOf(0x0a, start);
    if (end === -1 || !isUtf8(bytes.subarray(start, end))) return line;
    start = end + 1;
  }
}

/** The text of one document with its `---` line, and the number of its first line in the file. */
export interface DocumentText {
  readonly text: string;
  readonly firstLine: number;
}

/**
 * Splits a stream of documents before they are parsed, so that a broken one cannot take its neighbours with it. This is
 * exact: YAML 1.2 (9.1.2) lets no content line begin with a document marker.
 */
export function splitDocuments(text: string): DocumentText[] {
  const documents: DocumentText[] = [];
  let documentStart = 0;
  let documentLine = 1;
  let line = 1;
  const endAt = (offset: number): void => {
    const part = text.slice(documentStart, offset);
    if (part.trim() !== "") documents.push({ text: part, firstLine: documentLine });
  };
  for (let start = 0; start < text.length; line++) {
    const newline = text.indexOf("\n", start);
    const next = newline === -1 ? text.length : newline + 1;
    if (isMarker(text, start, "---")) {
      endAt(start);
      documentStart = start;
      documentLine = line;
    } else if (isMarker(text, start, "...")) {
      endAt(start);
      documentStart = next;
      documentLine = line + 1;
    }
    start = next;
  }
  endAt(text.length);
  return documents;
}

function isMarker(text: string, offset: number, marker: string): boolean {
  if (!text.startsWith(marker, offset)) return false;
  const following = text[offset + marker.length];
  return following === undefined || following === " " || following === "\t" || following === "\r" || following === "\n";
}
