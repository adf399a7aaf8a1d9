/**
 * The canonical bytes of a row, from which digests are made. They depend on the values and on the names of the columns,
 * not on the page layout, nor on the order of the columns in storage:
 *
 *     8 bytes of SHA-256 of the columns' names · [the implicit rowid] · each value, columns in order of their names
 *     value = 00 | 01 int64 | 02 float64 | 03 length text | 04 length blob | 05 length UTF-16LE | 06 length UTF-16BE
 *
 * Numbers are little-endian, lengths 32-bit. Reading text as JavaScript strings is a third cheaper than as bytes, and
 * exact unless it is not valid UTF-8: then a string holds U+FFFD, and the table is read again as bytes
 * (`InexactText`). In a UTF-16 database text is always read as its bytes.
 */
import { hash } from "node:crypto";
import type { SQLOutputValue } from "node:sqlite";
import { quoteName } from "./sql.ts";
import type { Table, TextEncoding } from "./schema.ts";

/** Thrown by the quick reading when a text may not be valid. */
export class InexactText extends Error {}

/** SQLite's own limit for one value is 2^31 - 1 bytes; a row may hold several. */
const firstCapacity = 64 * 1024;
/** Flags for this many columns go into one integer of an exact row. */
const flagsPerInteger = 60;

export interface RowForm {
  readonly exact: boolean;
  /** The select list: rowid (or nothing), the columns, and for exact rows the flags that tell text from blob. */
  readonly select: string;
}

export function rowForm(table: Table, exact: boolean): RowForm {
  const columns = table.columns.map(({ name }) => quoteName(name));
  const list = table.rowid === undefined ? [] : [table.rowid];
  if (!exact) return { exact, select: [...list, ...columns].join(", ") };
  list.push(
    ...columns.map((name) => `CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) ELSE ${name} END`),
  );
  for (let first = 0; first < columns.length; first += flagsPerInteger) {
    const bits = columns.slice(first, first + flagsPerInteger);
    list.push(bits.map((name, bit) => `((typeof(${name}) = 'text') << ${bit})`).join(" | "));
  }
  return { exact, select: list.join(", ") };
}

/** True when the exact row's column `place` holds text, given as its bytes. */
export function isTextAt(row: readonly SQLOutputValue[], table: Table, place: number): boolean {
  const firstFlags = (table.rowid === undefined ? 0 : 1) + table.columns.length;
  const flags = row[firstFlags + Math.floor(place / flagsPerInteger)] as bigint;
  return ((flags >> BigInt(place % flagsPerInteger)) & 1n) === 1n;
}

export class RowEncoder {
  readonly #table: Table;
  readonly #exact: boolean;
  readonly #textTag: number;
  readonly #prefix: Uint8Array;
  #bytes: Buffer = Buffer.alloc(0);
  #view: DataView = new DataView(new ArrayBuffer(0));

  constructor(table: Table, encoding: TextEncoding, exact: boolean) {
    this.#table = table;
    this.#exact = exact;
    this.#textTag = encoding === "UTF-8" ? 3 : encoding === "UTF-16le" ? 5 : 6;
    this.#prefix = hash("sha256", JSON.stringify(table.columns.map(({ name }) => name)), "buffer").subarray(
      0,
      8,
    );
    this.#grow(firstCapacity);
  }

  /** The row's canonical bytes, valid until the next call. Throws `InexactText` in quick reading. */
  encode(row: readonly SQLOutputValue[], withRowid: boolean): Uint8Array {
    const hasRowid = this.#table.rowid !== undefined;
    const first = hasRowid ? 1 : 0;
    const count = this.#table.columns.length;
    let at = this.#prefix.length;
    if (hasRowid && withRowid) at = this.#value(row[0]!, at, false);
    for (let place = 0; place < count; place++) {
      const value = row[first + place]!;
      const text = this.#exact && value instanceof Uint8Array && isTextAt(row, this.#table, place);
      at = this.#value(value, at, text);
    }
    return this.#bytes.subarray(0, at);
  }

  #value(value: SQLOutputValue, at: number, bytesAreText: boolean): number {
    if (at + 16 > this.#bytes.length) this.#grow(at + 16);
    if (value === null) {
      this.#bytes[at] = 0;
      return at + 1;
    }
    if (typeof value === "bigint") {
      this.#bytes[at] = 1;
      this.#view.setBigInt64(at + 1, value, true);
      return at + 9;
    }
    if (typeof value === "number") {
      this.#bytes[at] = 2;
      this.#view.setFloat64(at + 1, value, true);
      return at + 9;
    }
    if (typeof value === "string") {
      if (value.includes("\uFFFD")) throw new InexactText();
      // No UTF-16 unit needs more than three bytes.
      if (at + 5 + value.length * 3 > this.#bytes.length) this.#grow(at + 5 + value.length * 3);
      const length = this.#bytes.write(value, at + 5, "utf8");
      this.#bytes[at] = 3;
      this.#view.setUint32(at + 1, length, true);
      return at + 5 + length;
    }
    if (at + 5 + value.length > this.#bytes.length) this.#grow(at + 5 + value.length);
    this.#bytes[at] = bytesAreText ? this.#textTag : 4;
    this.#view.setUint32(at + 1, value.length, true);
    this.#bytes.set(value, at + 5);
    return at + 5 + value.length;
  }

  #grow(needed: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    bytes.set(this.#bytes);
    bytes.set(this.#prefix);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
}
