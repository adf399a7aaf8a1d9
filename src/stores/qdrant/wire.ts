/** Request bodies. Numbers are written so that the server reads the same number of the same type. */
import { writeDouble } from "../format/json-write.ts";
import { DenseVector } from "../format/value.ts";
import type { Value, ValueMap } from "../format/value.ts";
import { floatTextBytes, writeFloat } from "./floats.ts";
import { unnamed } from "./page.ts";
import { idJson } from "./point-id.ts";
import { elementsOf } from "./vectors.ts";

/** Plain JSON of a value that has neither vectors nor values without a form in JSON. */
export function plainJson(value: Value): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError("Qdrant's JSON has no infinities");
    return writeDouble(value);
  }
  if (typeof value === "boolean") return value ? "true" : "false";
  if (value === null) return "null";
  if (Array.isArray(value)) return `[${(value as Value[]).map(plainJson).join(",")}]`;
  if (Object.getPrototypeOf(value) !== Object.prototype)
    throw new TypeError("a payload has a value that JSON has no form for");
  const map = value as ValueMap;
  const members = Object.keys(map).map((name) => `${JSON.stringify(name)}:${plainJson(map[name]!)}`);
  return `{${members.join(",")}}`;
}

export interface WritablePoint {
  readonly id: string;
  readonly payload: Value;
  readonly vectors: ValueMap;
}

const firstBytes = 64 * 1024;

/** The body of an upsert, written point by point. */
export class UpsertBody {
  #bytes: Buffer;
  #length = 0;
  #count = 0;
  readonly ids: string[] = [];
  /** Where each point begins. */
  readonly #starts: number[] = [];
  #end = 0;

  /** `memory` is written over; a body that was sent gives it back with `memory`. */
  constructor(memory: Buffer = Buffer.allocUnsafeSlow(firstBytes)) {
    this.#bytes = memory;
  }

  /** The memory of a body that is not needed any more. */
  get memory(): Buffer {
    return this.#bytes;
  }

  get sizeBytes(): number {
    return this.#length;
  }

  get count(): number {
    return this.#count;
  }

  add({ id, payload, vectors }: WritablePoint): void {
    this.#text(this.#count++ === 0 ? '{"points":[' : ",");
    this.ids.push(id);
    this.#starts.push(this.#length);
    this.#text(`{"id":${idJson(id)},"payload":${plainJson(payload)},"vector":`);
    const names = Object.keys(vectors);
    // Servers before named vectors could be mixed with one without a name know the plain form only.
    if (names.length === 1 && names[0] === unnamed) this.#vector(vectors[unnamed]!);
    else {
      this.#text("{");
      names.forEach((name, index) => {
        this.#text(`${index === 0 ? "" : ","}${JSON.stringify(name)}:`);
        this.#vector(vectors[name]!);
      });
      this.#text("}");
    }
    this.#text("}");
    this.#end = this.#length;
  }

  /** The same points in two bodies; undefined for a single point. */
  halves(): readonly [UpsertBody, UpsertBody] | undefined {
    if (this.#count < 2) return undefined;
    const middle = this.#count >> 1;
    // The comma between the two belongs to neither.
    return [this.#part(0, middle, this.#starts[middle]! - 1), this.#part(middle, this.#count, this.#end)];
  }

  #part(from: number, to: number, end: number): UpsertBody {
    const part = new UpsertBody();
    part.#text('{"points":[');
    const shift = part.#length - this.#starts[from]!;
    part.#grow(end - this.#starts[from]!);
    part.#length += this.#bytes.copy(part.#bytes, part.#length, this.#starts[from], end);
    part.#count = to - from;
    part.#end = part.#length;
    part.ids.push(...this.ids.slice(from, to));
    part.#starts.push(...this.#starts.slice(from, to).map((start) => start + shift));
    return part;
  }

  /** The bytes. Nothing can be added any more. */
  finish(shardKey: string | undefined): Uint8Array {
    this.#text(shardKey === undefined ? "]}" : `],"shard_key":${shardKey}}`);
    return this.#bytes.subarray(0, this.#length);
  }

  #vector(vector: Value): void {
    if (vector instanceof DenseVector) {
      this.#dense(vector);
      return;
    }
    const { indices, values } = vector as ValueMap;
    if (!Array.isArray(indices) || !(values instanceof DenseVector)) {
      throw new TypeError("a record has a vector that is neither dense nor sparse");
    }
    this.#text(`{"indices":${plainJson(indices as Value[])},"values":`);
    this.#dense(values);
    this.#text("}");
  }

  #dense(vector: DenseVector): void {
    const { rows, columns, isSingle } = vector;
    this.#grow(rows * columns * (floatTextBytes + 1) + rows * 3 + 2);
    const elements = elementsOf(vector);
    const bytes = this.#bytes;
    let at = this.#length;
    if (!isSingle) bytes[at++] = 0x5b;
    if (isSingle && columns === 0) bytes[at++] = 0x5b;
    for (let index = 0, column = 0; index < elements.length; index++) {
      if (column > 0 || index > 0) bytes[at++] = 0x2c;
      if (column === 0) bytes[at++] = 0x5b;
      at = writeFloat(bytes, at, elements[index]!);
      if (++column === columns) {
        bytes[at++] = 0x5d;
        column = 0;
      }
    }
    if (isSingle && columns === 0) bytes[at++] = 0x5d;
    if (!isSingle) bytes[at++] = 0x5d;
    this.#length = at;
  }

  #text(text: string): void {
    this.#grow(text.length * 3);
    this.#length += this.#bytes.write(text, this.#length, "utf8");
  }

  #grow(byteCount: number): void {
    if (this.#length + byteCount <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + byteCount));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
