/**
 * Names and values in the text of a query. FalkorDB takes no parameters for labels, types and property names, and gets the
 * parameters themselves as text before the query (`CYPHER name=value …`). This file is the only one that makes such text.
 */
import { MemkeepError } from "../../domain/errors.ts";
import { DenseVector, Tagged } from "../format/value.ts";
import type { Value, ValueMap } from "../format/value.ts";

/**
 * A name between backticks. FalkorDB knows no escape for a backtick, so a name that has one cannot be written in any query
 * (`STORE_UNSUPPORTED`); every other character stands for itself.
 */
export function quoteName(name: string): string {
  if (name.includes("`") || name.includes("\0") || !name.isWellFormed()) {
    throw new MemkeepError("STORE_UNSUPPORTED", {
      tried: "write a label, type or property name into a query",
      happened: "the name holds a backtick or NUL, for which FalkorDB has no escape",
    });
  }
  return `\`${name}\``;
}

/** A piece of a query: text, or the bytes of a string that is not UTF-8. */
export type QueryPart = string | Uint8Array;

/** The bytes of a query. */
export function queryBytes(parts: readonly QueryPart[]): Buffer {
  const buffers: Uint8Array[] = [];
  let texts: string[] = [];
  for (const part of parts) {
    if (typeof part === "string") {
      texts.push(part);
      continue;
    }
    buffers.push(Buffer.from(texts.join(""), "utf8"), part);
    texts = [];
  }
  buffers.push(Buffer.from(texts.join(""), "utf8"));
  return Buffer.concat(buffers);
}

/** A string literal. FalkorDB unescapes `\\` and `\'`; every other byte stands for itself. */
export function writeString(text: string): string {
  if (text.includes("\u0000")) throw unsupported("a text with NUL");
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** True for a value that may stand in a parameter: everything but NaN, vectors, points, dates and times. */
export function isPlain(value: Value): boolean {
  if (typeof value === "number") return !Number.isNaN(value);
  if (Array.isArray(value)) return (value as readonly Value[]).every(isPlain);
  return !(value instanceof Tagged || value instanceof DenseVector);
}

/** Adds the literal of a plain value to the parts of a query. */
export function addLiteral(parts: QueryPart[], value: Value): void {
  if (value === null || typeof value === "boolean") parts.push(String(value));
  else if (typeof value === "bigint") parts.push(value.toString());
  else if (typeof value === "number") parts.push(writeNumber(value));
  else if (typeof value === "string") parts.push(writeString(value));
  else if (value instanceof Uint8Array) addByteString(parts, value);
  else if (Array.isArray(value)) {
    parts.push("[");
    for (const [index, item] of (value as readonly Value[]).entries()) {
      if (index > 0) parts.push(",");
      addLiteral(parts, item);
    }
    parts.push("]");
  } else if (value instanceof Tagged || value instanceof DenseVector) {
    throw unsupported("a value that has no literal");
  } else {
    addMap(parts, value as ValueMap);
  }
}

/** Adds the literal of a map of plain values. */
export function addMap(parts: QueryPart[], map: ValueMap): void {
  parts.push("{");
  for (const [index, name] of Object.keys(map).entries()) {
    parts.push(`${index > 0 ? "," : ""}${quoteName(name)}:`);
    addLiteral(parts, map[name]!);
  }
  parts.push("}");
}

/** A double that the server reads back to the same bits. It reads `1e999` as infinity. NaN has no literal. */
export function writeNumber(value: number): string {
  if (Number.isNaN(value)) throw unsupported("NaN in a parameter");
  if (value === Infinity) return "1e999";
  if (value === -Infinity) return "-1e999";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function addByteString(parts: QueryPart[], bytes: Uint8Array): void {
  const escaped: number[] = [0x27];
  for (const byte of bytes) {
    if (byte === 0) throw unsupported("a text with NUL");
    if (byte === 0x27 || byte === 0x5c) escaped.push(0x5c);
    escaped.push(byte);
  }
  escaped.push(0x27);
  parts.push(Uint8Array.from(escaped));
}

function unsupported(what: string): MemkeepError {
  return new MemkeepError("STORE_UNSUPPORTED", {
    tried: "write a value into a query",
    happened: `FalkorDB cannot take ${what}`,
  });
}
