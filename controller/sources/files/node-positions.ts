/** From field paths to places in the text of a document. */
import { isMap, isScalar, isSeq, type LineCounter, type Node } from "yaml";
import { fieldAt, itemAt } from "../../../crds/core/field-path.ts";
import type { Violation } from "../../../crds/core/violation.ts";
import type { Position } from "./located-violation.ts";

/** The place of an offset. */
export function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

/**
 * Where the violation of an object stands, whose node is `root`: at the value when it is a scalar, at the key when it is
 * more or when the key itself is wrong, and at the nearest thing that exists when the field is missing.
 */
export function placeOf(root: Node, found: Violation, lines: LineCounter): Position {
  let best: Node = root;
  let at: Node | undefined = root;
  let path = "";
  while (at !== undefined && path !== found.path) {
    const step = childTowards(at, path, found.path);
    if (step === undefined) break;
    path = step.path;
    at = step.value;
    const isTheValue = path === found.path && found.reason !== "UnknownField" && isScalar(at) && at.source !== "";
    best = (isTheValue ? undefined : step.key) ?? at ?? step.key ?? best;
  }
  return positionAt(lines, best.range?.[0] ?? 0);
}

interface Step {
  readonly path: string;
  readonly key: Node | undefined;
  readonly value: Node | undefined;
}

function childTowards(node: Node, path: string, target: string): Step | undefined {
  if (isMap<Node, Node | null>(node)) {
    for (const { key, value } of node.items) {
      if (!isScalar(key)) continue;
      const childPath = fieldAt(path, String(key.value));
      if (leadsTo(childPath, target)) return { path: childPath, key, value: value ?? undefined };
    }
  }
  if (isSeq<Node>(node)) {
    for (const [index, value] of node.items.entries()) {
      const childPath = itemAt(path, index);
      if (leadsTo(childPath, target)) return { path: childPath, key: undefined, value };
    }
  }
  return undefined;
}

function leadsTo(path: string, target: string): boolean {
  return target.startsWith(path) && (target.length === path.length || target[path.length] === "." || target[path.length] === "[");
}
