/** Values → JSON text, exactly. The encoding is described in `docs/dump-format.md`. */
import { DenseVector, Tagged, compareUtf8 } from "./value.ts";
import type { PlacedVector, Value, ValueMap } from "./value.ts";

/**
 * The JSON text of a value. Vectors that are not inline leave a marker in the text and are added to `vectors` in the
 * order of their markers; without `vectors` all are written inline. Members of maps are sorted by the UTF-8 bytes of
 * their names, so equal maps give equal text. Throws `RangeError` for a value nested deeper than `maxDepth`.
 */
export function writeValue(value: Value, vectors?: PlacedVector[], field = ""): string {
  return write(value, vectors, field, 0);
}

/** Deepest nesting of arrays and maps that a line may have. */
export const maxDepth = 512;

function write(value: Value, vectors: PlacedVector[] | undefined, field: string, depth: number): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return writeDouble(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "boolean") return value ? "true" : "false";
  return value === null ? "null" : writeObject(value, vectors, field, depth + 1);
}

function writeObject(
  value: Exclude<Value, null | string | number | bigint | boolean>,
  vectors: PlacedVector[] | undefined,
  field: string,
  depth: number,
): string {
  if (depth > maxDepth) throw new RangeError(`a value is nested deeper than ${maxDepth}`);
  if (Array.isArray(value)) {
    const items: readonly Value[] = value;
    let text = "[";
    for (let index = 0; index < items.length; index++) {
      if (index > 0) text += ",";
      text += write(items[index]!, vectors, field, depth);
    }
    return `${text}]`;
  }
  if (value instanceof DenseVector) return writeVector(value, vectors, field);
  if (value instanceof Tagged) return `{"$${value.tag}":${write(value.value, vectors, field, depth)}}`;
  if (value instanceof Uint8Array) return writeBytes(value);
  return writeMap(value as ValueMap, vectors, depth);
}

function writeMap(map: ValueMap, vectors: PlacedVector[] | undefined, depth: number): string {
  const names = Object.keys(map);
  sortNames(names);
  let text = "{";
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    if (index > 0) text += ",";
    text += writeName(name) + write(map[name]!, vectors, name, depth);
  }
  return `${text}}`;
}

/** Sorts names by their UTF-8 bytes. Most maps arrive sorted. */
export function sortNames(names: string[]): void {
  for (let index = 1; index < names.length; index++) {
    if (compareUtf8(names[index - 1]!, names[index]!) > 0) {
      names.sort(compareUtf8);
      return;
    }
  }
}

/** A member's name with its colon; a name that begins with `$` gets a second one. */
export function writeName(name: string): string {
  return name.charCodeAt(0) === 0x24 ? `${JSON.stringify(`$${name}`)}:` : `${JSON.stringify(name)}:`;
}

/** The shortest text that reads back to the same double, with a point or an exponent, or the tagged form. */
export function writeDouble(value: number): string {
  if (Number.isInteger(value)) {
    if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
    const text = String(value);
    // From 1e21 on JavaScript writes an exponent itself.
    return text.includes("e") ? text : `${text}.0`;
  }
  if (Number.isNaN(value)) return '{"$double":"NaN"}';
  if (value === Infinity) return '{"$double":"Infinity"}';
  if (value === -Infinity) return '{"$double":"-Infinity"}';
  return String(value);
}

export function writeBytes(bytes: Uint8Array): string {
  return `{"$bytes":"${base64(bytes)}"}`;
}

/** The vector's marker, or all of it when it is inline or nobody takes `vectors`. */
export function writeVector(vector: DenseVector, vectors: PlacedVector[] | undefined, field: string): string {
  const shape = vector.isSingle ? `${vector.columns}` : `${vector.rows},${vector.columns}`;
  if (!vector.inline && vectors !== undefined) {
    vectors.push({ field, vector });
    return `{"$vector":"${vector.type}[${shape}]"}`;
  }
  if (vector.bytes === undefined) throw new TypeError("a vector was not read before it was written");
  return `{"$vector":"${vector.type}[${shape}]","data":"${base64(vector.bytes)}"}`;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}
