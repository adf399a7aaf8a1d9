/**
 * The canonical key of a row: the bytes by which other stores, snapshots and people name it.
 *
 * - a primary key of one column: text as it is; an integer in decimal;
 * - anything else (several columns, blobs, reals, NULL): a JSON array, with `{"blob":"hex"}`, `{"real":"hex of the bits"}`
 *   and `{"text":"hex"}` (text that is not valid Unicode) where JSON has no such value;
 * - no primary key: the digest of the row's values, once for each row that has them.
 *
 * Two different keys of one table never have the same bytes: text that could be taken for one of the other forms (it
 * begins with `[`, or is a decimal integer where the column may hold integers as well) is written as an array too.
 */
import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import type { Column, TextEncoding } from "./schema.ts";

/** Text of the database's encoding as it is stored; how an exact row holds it. */
export class RawText {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

export type KeyValue = SQLOutputValue | RawText;

/** The text as a string, or undefined when it is not valid in its encoding. */
export function decodeText(bytes: Uint8Array, encoding: TextEncoding): string | undefined {
  try {
    return new TextDecoder(encoding.toLowerCase(), { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

export function encodeText(text: string, encoding: TextEncoding): Buffer {
  if (encoding === "UTF-8") return Buffer.from(text, "utf8");
  const bytes = Buffer.from(text, "utf16le");
  return encoding === "UTF-16be" ? bytes.swap16() : bytes;
}

const decimal = /^(?:0|-?[1-9]\d*)$/;

export function canonicalKey(
  values: readonly KeyValue[],
  columns: readonly Column[],
  encoding: TextEncoding,
): Buffer {
  const [only] = values;
  if (values.length === 1 && only !== undefined) {
    if (typeof only === "bigint") return Buffer.from(only.toString());
    const text =
      typeof only === "string"
        ? only
        : only instanceof RawText
          ? decodeText(only.bytes, encoding)
          : undefined;
    const plain =
      text !== undefined && !text.startsWith("[") && !(columns[0]!.affinity !== "text" && decimal.test(text));
    if (plain) return Buffer.from(text, "utf8");
  }
  return Buffer.from(`[${values.map((value) => jsonValue(value, encoding)).join(",")}]`);
}

function jsonValue(value: KeyValue, encoding: TextEncoding): string {
  if (value === null) return "null";
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof RawText) {
    const text = decodeText(value.bytes, encoding);
    return text === undefined ? `{"text":"${hex(value.bytes)}"}` : JSON.stringify(text);
  }
  if (typeof value === "number") {
    const bits = Buffer.alloc(8);
    bits.writeDoubleBE(value);
    return `{"real":"${hex(bits)}"}`;
  }
  return `{"blob":"${hex(value)}"}`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

export type BoundKeyValue = { readonly value: SQLInputValue; readonly isRawText: boolean };

/** The values of a canonical key, ready to be bound; undefined when these bytes are no key of such a table. */
export function parseKey(
  key: Uint8Array,
  columns: readonly Column[],
  encoding: TextEncoding,
): readonly BoundKeyValue[] | undefined {
  const text = decodeText(key, "UTF-8");
  if (text === undefined) return undefined;
  if (!text.startsWith("[")) {
    if (columns.length !== 1) return undefined;
    const isInteger = decimal.test(text) && columns[0]!.affinity !== "text";
    return [isInteger ? { value: BigInt(text), isRawText: false } : boundText(text, encoding)];
  }
  let parsed: unknown;
  try {
    // Integers keep their digits: a JavaScript number would round them.
    parsed = JSON.parse(text, (_, value: unknown, context?: { source?: string }) =>
      typeof value === "number" ? BigInt(context?.source ?? String(value)) : value,
    );
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed) || parsed.length !== columns.length) return undefined;
  const values = parsed.map((value: unknown) => bound(value, encoding));
  return values.every((value) => value !== undefined) ? values : undefined;
}

function boundText(text: string, encoding: TextEncoding): BoundKeyValue {
  return { value: encodeText(text, encoding), isRawText: true };
}

function bound(value: unknown, encoding: TextEncoding): BoundKeyValue | undefined {
  if (value === null || typeof value === "bigint") return { value, isRawText: false };
  if (typeof value === "string") return boundText(value, encoding);
  if (typeof value !== "object") return undefined;
  const [entry] = Object.entries(value as Record<string, unknown>);
  if (!entry || typeof entry[1] !== "string" || !/^(?:[0-9a-f]{2})*$/.test(entry[1])) return undefined;
  const bytes = Buffer.from(entry[1], "hex");
  switch (entry[0]) {
    case "blob":
      return { value: bytes, isRawText: false };
    case "text":
      return { value: bytes, isRawText: true };
    case "real":
      return bytes.length === 8 ? { value: bytes.readDoubleBE(), isRawText: false } : undefined;
    default:
      return undefined;
  }
}
