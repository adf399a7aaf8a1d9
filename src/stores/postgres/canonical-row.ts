/**
 * The canonical bytes of a row, from which digests are made, and the canonical key by which other stores, snapshots and
 * people name it. Both are made from the text of COPY, which is the same in the dump of one server and in the dump of
 * the server that it was restored into.
 *
 *     row = first 8 bytes of SHA-256 of the columns' names (a JSON array, sorted) · each value as COPY writes it,
 *           columns in the order of their names, with a tab between them
 *
 * The order of names makes it independent of the order of columns, which a restore may change (an inherited table's
 * columns). A value longer than `longValueBytes` is replaced by `\H` and the SHA-256 of its text in hex, so that a row
 * of one gigabyte can be digested as it passes; COPY never writes `\H`.
 *
 *     key = of one column: its text as it is
 *           of several, or of text that begins with `[`: a JSON array of the values, integers bare, others as strings
 */
import { hash } from "node:crypto";

export const longValueBytes: number = 1024 * 1024;

/** What stands for a value that is too long: `digest` is the SHA-256 of COPY's text of it. */
export function longValue(digest: Buffer): Buffer {
  return Buffer.from(`\\H${digest.toString("hex")}`);
}

const tab = 9;
const backslash = 92;

export interface RowColumn {
  readonly name: string;
  /** Whether its values are written bare in a key of several columns. */
  readonly isInteger: boolean;
}

export interface RowShape {
  readonly columns: readonly RowColumn[];
  /** Position in COPY's order of each column in the order of names. */
  readonly byName: readonly number[];
  readonly prefix: Buffer;
  /** Positions in COPY's order of the key's columns, in the key's order; undefined without a primary key. */
  readonly key: readonly number[] | undefined;
}

/** `keyColumns` are the primary key's, in its order. */
export function rowShape(columns: readonly RowColumn[], keyColumns: readonly string[] | undefined): RowShape {
  const places = new Map(columns.map(({ name }, place) => [name, place]));
  const names = columns.map(({ name }) => name).sort(byCodeUnit);
  const key = keyColumns?.map((name) => places.get(name));
  return {
    columns,
    byName: names.map((name) => places.get(name)!),
    prefix: hash("sha256", JSON.stringify(names), "buffer").subarray(0, 8),
    // A key that is generated from other columns is not in the dump.
    key: key?.every((place) => place !== undefined) === true ? key : undefined,
  };
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The canonical key of COPY's text of the key's columns. */
export function canonicalKey(values: readonly Buffer[], columns: readonly RowColumn[]): Buffer {
  const texts = values.map(unescapeCopy);
  const [only] = texts;
  if (texts.length === 1 && only !== undefined && only[0] !== 0x5b) return only;
  const parts = texts.map((text, place) => {
    const value = text.toString("utf8");
    return columns[place]!.isInteger ? value : JSON.stringify(value);
  });
  return Buffer.from(`[${parts.join(",")}]`);
}

const escapes: Readonly<Record<string, number>> = { b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };

/** The value of COPY's text, which is not NULL. */
export function unescapeCopy(text: Buffer): Buffer {
  if (!text.includes(backslash)) return text;
  const value = Buffer.allocUnsafe(text.length);
  let to = 0;
  for (let from = 0; from < text.length; from++) {
    let byte = text[from]!;
    if (byte === backslash) {
      byte = text[++from]!;
      byte = escapes[String.fromCharCode(byte)] ?? byte;
    }
    value[to++] = byte;
  }
  return value.subarray(0, to);
}

const special = /[\\\b\f\n\r\t\v]/g;
const letters: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

/** A value's text as COPY writes it; `\N` for NULL. */
export function escapeCopy(text: string | null): Buffer {
  return Buffer.from(text === null ? "\\N" : text.replaceAll(special, (character) => letters[character]!));
}

/** A line of COPY, without its newline. */
export function copyLine(texts: readonly (string | null)[]): Buffer {
  const parts = texts.flatMap((text, place) =>
    place === 0 ? [escapeCopy(text)] : [Buffer.of(9), escapeCopy(text)],
  );
  return Buffer.concat(parts);
}

/** Builds canonical rows in a buffer of its own, which grows to the longest row. */
export class RowBuilder {
  #bytes: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
  readonly #shape: RowShape;
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;

  constructor(shape: RowShape) {
    this.#shape = shape;
    this.#starts = new Int32Array(shape.columns.length);
    this.#ends = new Int32Array(shape.columns.length);
  }

  /** Finds the values in `[from, to)`, a line of COPY without its newline. False when it has another number of columns. */
  split(line: Buffer, from: number, to: number): boolean {
    const last = this.#shape.columns.length - 1;
    if (last < 0) return from === to;
    let start = from;
    for (let column = 0; column < last; column++) {
      const end = nextTab(line, start, to);
      if (end < 0) return false;
      this.#starts[column] = start;
      this.#ends[column] = end;
      start = end + 1;
    }
    this.#starts[last] = start;
    this.#ends[last] = to;
    return nextTab(line, start, to) < 0;
  }

  /** The canonical bytes of the line that was split, valid until the next call. */
  row(line: Buffer): Buffer {
    const { byName, prefix } = this.#shape;
    let size = prefix.length + byName.length;
    for (let place = 0; place < byName.length; place++) {
      size += Math.min(this.#ends[place]! - this.#starts[place]!, longValueBytes);
    }
    if (size > this.#bytes.length) this.#bytes = Buffer.allocUnsafeSlow(size * 2);
    const bytes = this.#bytes;
    bytes.set(prefix, 0);
    let at = prefix.length;
    for (let place = 0; place < byName.length; place++) {
      const column = byName[place]!;
      const from = this.#starts[column]!;
      const to = this.#ends[column]!;
      if (place > 0) bytes[at++] = tab;
      if (to - from > longValueBytes) {
        at += longValue(hash("sha256", line.subarray(from, to), "buffer")).copy(bytes, at);
      } else if (to - from < 24) {
        for (let byte = from; byte < to; byte++) bytes[at++] = line[byte]!;
      } else {
        at += line.copy(bytes, at, from, to);
      }
    }
    return bytes.subarray(0, at);
  }

  /** The canonical key of the line that was split; undefined without a primary key. */
  key(line: Buffer): Buffer | undefined {
    const { key, columns } = this.#shape;
    if (!key) return undefined;
    return canonicalKey(
      key.map((column) => line.subarray(this.#starts[column], this.#ends[column])),
      key.map((column) => columns[column]!),
    );
  }
}

/** Where the next tab is in `[from, to)`, or -1. */
function nextTab(line: Buffer, from: number, to: number): number {
  // Most values are short, and a call into native code costs as much as a few dozen bytes here.
  const near = Math.min(to, from + 40);
  for (let at = from; at < near; at++) if (line[at] === tab) return at;
  if (near === to) return -1;
  // Not in the whole buffer: behind this line there may be thousands without a tab.
  const found = line.subarray(near, to).indexOf(tab);
  return found < 0 ? -1 : near + found;
}
