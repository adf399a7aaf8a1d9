/** Reads a YAML file into plain values with the position of each. Hostile files get a clear answer (law 12). */
import { open } from "node:fs/promises";
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from "yaml";
import { MemkeepError, reasonOf } from "../domain/errors.ts";
import { fileReason } from "../util/fs/file-reason.ts";
import type { ConfigPath } from "./origin.ts";
import { configError, type Position, type Problem } from "./problem.ts";

/** A stack's configuration has some hundred lines. */
const largestBytes = 1 << 20;
/** Each alias may be resolved so often in all; anchors in anchors multiply. */
const mostAliases = 100;
const tooDeep = "it is nested too deeply";

export interface ConfigDocument {
  readonly source: string;
  /** Plain objects, lists, strings, numbers, booleans and null. */
  readonly value: unknown;
  /** Where a value stands; that of its parent where it has none of its own. */
  readonly position: (path: ConfigPath) => Position | undefined;
  /** Where a key stands. */
  readonly keyPosition: (path: ConfigPath) => Position | undefined;
}

/** `CONFIG_INVALID` for a file that is missing, too large, not UTF-8 or not YAML. */
export async function readConfigFile(path: string): Promise<ConfigDocument> {
  return parseConfig(path, await readText(path));
}

export function parseConfig(source: string, text: string): ConfigDocument {
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      strict: true,
      uniqueKeys: true,
    });
    refuseErrors(source, document, lines);
    const value: unknown = document.toJS({ maxAliasCount: mostAliases });
    const at = (node: Node | undefined): Position | undefined => positionOf(node, lines);
    return {
      source,
      value: value ?? {},
      position: (where) => at(nodeAt(document, where, "value")),
      keyPosition: (where) => at(nodeAt(document, where, "key")),
    };
  } catch (error) {
    if (error instanceof MemkeepError) throw error;
    // Aliases that multiply are a ReferenceError.
    const text =
      error instanceof RangeError
        ? tooDeep
        : error instanceof ReferenceError && /alias count/.test(error.message)
          ? `its aliases (*name) stand for more than ${mostAliases} values in all`
          : reasonOf(error);
    throw configError(source, [{ path: [], position: undefined, text }]);
  }
}

async function readText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    await using file = await open(path);
    const about = await file.stat();
    if (about.isDirectory()) throw new Error("it is a folder");
    // One byte more than allowed tells a file that grows, or a pipe, without reading it whole.
    bytes = Buffer.alloc(largestBytes + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    bytes = bytes.subarray(0, length);
  } catch (cause) {
    throw new MemkeepError("CONFIG_INVALID", {
      tried: `read the configuration ${path}`,
      happened: fileReason(cause),
      next: "Check --config and MEMKEEP_CONFIG.",
      cause,
    });
  }
  if (bytes.length > largestBytes) {
    throw whole(path, "it has more than 1 MiB; a configuration has some hundred lines");
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw whole(path, "it is not UTF-8 text");
  }
}

function whole(path: string, text: string): MemkeepError {
  return configError(path, [{ path: [], position: undefined, text }]);
}

/** One problem a line: what follows the first is mostly its consequence. */
function refuseErrors(source: string, document: Document.Parsed, lines: LineCounter): void {
  const problems = new Map<number, Problem>();
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    const { line, col } = lines.linePos(pos[0]);
    if (problems.has(line)) continue;
    problems.set(line, { path: [], position: { line, column: col }, text: errorText(code, message) });
  }
  if (problems.size > 0) throw configError(source, [...problems.values()]);
}

function errorText(code: string, message: string): string {
  if (code === "TAB_AS_INDENT") return "a tab indents this line; YAML wants spaces";
  if (code === "DUPLICATE_KEY") return "this key stands here for the second time";
  if (code === "MULTIPLE_DOCS") return "a second document begins here (---); one file is one configuration";
  if (code === "UNEXPECTED_TOKEN" && /flow-map-start/.test(message)) {
    return 'a { is not expected here; within { } a text with a variable needs quotes: "${NAME}"';
  }
  // The parser recurses, and tells what it ran into as any other error.
  return /call stack/.test(message) ? tooDeep : message;
}

/** The node of a value or key; the deepest one on the way there when the path leads out of the file. */
function nodeAt(document: Document.Parsed, path: ConfigPath, part: "key" | "value"): Node | undefined {
  let node: unknown = document.contents;
  for (const [depth, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      next = depth === path.length - 1 && part === "key" ? pair?.key : (pair?.value ?? pair?.key);
    } else if (isSeq(node)) {
      next = node.items[Number(step)];
    }
    if (!isNode(next)) break;
    node = next;
  }
  return isNode(node) ? node : undefined;
}

function positionOf(node: Node | undefined, lines: LineCounter): Position | undefined {
  if (!node?.range) return undefined;
  const { line, col } = lines.linePos(node.range[0]);
  return { line, column: col };
}
