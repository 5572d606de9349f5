/** One YAML document: its value, what is wrong with it as YAML, and where everything stands. */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type Scalar, visit } from "yaml";
import { fieldAt, itemAt } from "../../../crds/core/field-path.ts";
import { violation, type Violation } from "../../../crds/core/violation.ts";
import { ambiguityOf } from "./ambiguous-scalar.ts";
import { inOrder, type PlacedViolation } from "./located-violation.ts";
import { placeOf, positionAt } from "./node-positions.ts";

/** How often aliases may repeat what they stand for, in one document. */
const MOST_ALIASED_NODES = 100;
/** A broken document makes its parser complain again and again; beyond these nobody reads on. */
const MOST_SYNTAX_ERRORS = 10;

export interface YamlDocument {
  /** Undefined when there is nothing but comments. */
  readonly root: Node | undefined;
  readonly lines: LineCounter;
  /** What is wrong with the text as YAML. When this is not empty `value` is only what could be made of it. */
  readonly syntax: readonly PlacedViolation[];
  /** As JSON would have it. Undefined when nothing could be made of the text. */
  readonly value: unknown;
}

export function parseYaml(text: string): YamlDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: "1.2",
    strict: true,
    uniqueKeys: true,
    stringKeys: true,
    prettyErrors: false,
    logLevel: "silent",
    resolveKnownTags: false,
    lineCounter: lines,
  });
  const root: Node | undefined = document.contents ?? undefined;
  const syntax = [...syntaxErrors(document, text, lines), ...referenceErrors(document, lines)];
  let value: unknown;
  try {
    value = root === undefined ? undefined : document.toJS({ maxAliasCount: MOST_ALIASED_NODES });
  } catch {
    // The value is more than a computer should hold, or aliases lead nowhere: of the document only its identity is read.
    value = withoutAliases(root);
    if (syntax.length === 0) {
      syntax.push({
        ...violation("", "Malformed", "repeats itself too often by aliases (*name): write it out"),
        ...firstAlias(document, lines),
      });
    }
  }
  return { root, lines, syntax: inOrder(syntax), value };
}

function syntaxErrors(document: Document.Parsed, text: string, lines: LineCounter): PlacedViolation[] {
  const directive = /^[ \t\r\n]*(?:#[^\n]*\n[ \t\r\n]*)*%/.exec(text);
  if (directive !== null) {
    const place = positionAt(lines, directive[0].length - 1);
    return [{ ...violation("", "Malformed", "directives such as %YAML are not supported: remove the line"), ...place }];
  }
  const found = [...document.errors, ...document.warnings].map((error) => ({
    ...violation("", error.code === "DUPLICATE_KEY" ? "Duplicate" : "Malformed", explain(error.code, error.message)),
    ...positionAt(lines, error.pos[0]),
  }));
  const deep = found.find((error) => error.message === TOO_DEEP);
  if (deep !== undefined) return [deep];
  return inOrder(found)
    .filter((error, index, all) => error.line !== all[index - 1]?.line)
    .slice(0, MOST_SYNTAX_ERRORS);
}

const TOO_DEEP = "is nested too deeply";

function explain(code: string, message: string): string {
  switch (code) {
    case "DUPLICATE_KEY":
      return "the key stands here for the second time: remove one of the two";
    case "TAB_AS_INDENT":
      return "a tab cannot indent: use spaces";
    case "NON_STRING_KEY":
      return "a key must be a string (is this a template that has not been rendered?)";
    case "TAG_RESOLVE_FAILED":
      return `tags are not supported: ${message}`;
    case "RESOURCE_EXHAUSTION":
      return TOO_DEEP;
    default:
      return `is not YAML: ${message}`;
  }
}

/** Aliases without an anchor, and merge keys, which YAML 1.2 does not have. */
function referenceErrors(document: Document.Parsed, lines: LineCounter): PlacedViolation[] {
  const found: PlacedViolation[] = [];
  const add = (node: Node, message: string): void => {
    found.push({ ...violation("", "Malformed", message), ...positionAt(lines, node.range?.[0] ?? 0) });
  };
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) === undefined) add(alias, `*${alias.source} stands for nothing: no &${alias.source} comes before it`);
    },
    Pair: (_key, pair) => {
      if (isScalar(pair.key) && pair.key.value === "<<" && pair.key.type === "PLAIN") {
        add(pair.key, "merge keys (<<) are not YAML 1.2: write the fields out");
      }
    },
  });
  return found;
}

function firstAlias(document: Document.Parsed, lines: LineCounter): { line: number; column: number } {
  let offset = 0;
  visit(document, {
    Alias: (_key, alias) => {
      offset = alias.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return positionAt(lines, offset);
}

function withoutAliases(node: Node | null | undefined): unknown {
  if (isScalar(node)) return node.value;
  if (isMap<Node, Node | null>(node)) {
    return Object.fromEntries(
      node.items.flatMap(({ key, value }) => (isScalar(key) && !isAlias(value) ? [[String(key.value), withoutAliases(value)]] : [])),
    );
  }
  return isSeq<Node>(node) ? node.items.map(withoutAliases) : undefined;
}

/**
 * The unquoted scalars below `root` that mean different things to different readers. `concerns` says which field paths
 * matter, `conceals` which values may not be shown.
 */
export function ambiguities(
  document: YamlDocument,
  root: Node,
  concerns: (path: string) => boolean,
  conceals: (path: string) => boolean,
): PlacedViolation[] {
  const found: PlacedViolation[] = [];
  const judge = (scalar: Scalar, path: string): void => {
    if (scalar.type !== "PLAIN" || scalar.tag !== undefined || scalar.source === undefined) return;
    const message = ambiguityOf(scalar.source, conceals(path) ? "the value" : scalar.source);
    if (message === undefined || !concerns(path)) return;
    found.push({ ...violation(path, "Invalid", message), ...positionAt(document.lines, scalar.range?.[0] ?? 0) });
  };
  const descend = (node: Node | null, path: string): void => {
    if (isScalar(node)) judge(node, path);
    else if (isSeq<Node>(node)) for (const [index, item] of node.items.entries()) descend(item, itemAt(path, index));
    else if (isMap<Node, Node | null>(node)) {
      for (const { key, value } of node.items) {
        if (!isScalar(key)) continue;
        const childPath = fieldAt(path, String(key.value));
        judge(key, childPath);
        descend(value, childPath);
      }
    }
  };
  descend(root, "");
  return found;
}

export function placed(document: YamlDocument, root: Node, found: readonly Violation[]): PlacedViolation[] {
  return found.map((one) => ({ ...one, ...placeOf(root, one, document.lines) }));
}
