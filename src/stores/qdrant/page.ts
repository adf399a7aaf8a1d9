/** Points out of the server's answers (`scroll`, `retrieve`), as records of the dump. */
import { writeValue } from "../format/json-write.ts";
import { readPlainJson } from "../format/json-read.ts";
import { setMember } from "../format/value.ts";
import type { ElementType, PlacedVector, Value, ValueMap } from "../format/value.ts";
import { JsonBytes } from "./json-bytes.ts";
import { idOf, recordKey } from "./point-id.ts";
import { readVector } from "./vectors.ts";

/** Name of the vector of a collection that has one without a name. */
export const unnamed = "";

export interface Point {
  readonly id: string;
  readonly key: string;
  readonly payload: Value;
  /** By name; names that the point has no vector for are not there. */
  readonly vectors: ValueMap;
  readonly shardKey: string | undefined;
  /** Names of vectors with an infinite element, which are left out of `vectors`. */
  readonly infinite: readonly string[];
}

export interface Page {
  readonly points: readonly Point[];
  /** The first id behind this page; undefined when it is the last. `0` is an id like any other. */
  readonly next: string | undefined;
}

/** What is known of the collection that answers. */
export interface Reading {
  readonly types: ReadonlyMap<string, ElementType>;
  /** The shard key that was asked for, as JSON. */
  readonly shardKey: string | undefined;
}

/** A page of `scroll`: `{"result":{"points":[…],"next_page_offset":…}}`. */
export function readPage(answer: Buffer, reading: Reading): Page {
  const json = new JsonBytes(answer);
  let points: Point[] | undefined;
  let next: string | undefined;
  json.object((name) => {
    if (name !== "result") return json.skip();
    json.object((member) => {
      if (member === "points") points = readPoints(json, reading);
      else if (member === "next_page_offset") next = offsetOf(json.value());
      else json.skip();
    });
  });
  if (!points) throw new SyntaxError("the answer has no points");
  return { points, next };
}

function offsetOf(value: Value): string | undefined {
  return value === null ? undefined : idOf(value);
}

/** The answer of `retrieve`: `{"result":[…]}`. */
export function readRetrieved(answer: Buffer, reading: Reading): readonly Point[] {
  const json = new JsonBytes(answer);
  let points: Point[] | undefined;
  json.object((name) => {
    if (name === "result") points = readPoints(json, reading);
    else json.skip();
  });
  if (!points) throw new SyntaxError("the answer has no points");
  return points;
}

function readPoints(json: JsonBytes, reading: Reading): Point[] {
  const points: Point[] = [];
  json.array(() => points.push(readPoint(json, reading)));
  return points;
}

function readPoint(json: JsonBytes, { types, shardKey }: Reading): Point {
  let id: string | undefined;
  let payload: Value = {};
  const vectors: ValueMap = {};
  const infinite: string[] = [];
  function vector(name: string): void {
    const value = readVector(json, types.get(name) ?? "f4");
    if (value === undefined) infinite.push(name);
    else setMember(vectors, name, value);
  }
  json.object((name) => {
    if (name === "id") id = idOf(json.value());
    else if (name === "payload") payload = readPlainJson(json.text()) ?? {};
    else if (name !== "vector") json.skip();
    else if (json.peek() === 0x5b) vector(unnamed);
    else if (json.peek() === 0x7b) json.object(vector);
    else json.skip();
  });
  if (id === undefined) throw new SyntaxError("the answer has a point without id");
  return { id, key: recordKey(id, shardKey), payload, vectors, shardKey, infinite };
}

/** The record's line and the vectors that go into files, in the order of their markers. */
export function recordOf({
  key,
  payload,
  vectors,
  shardKey,
}: Pick<Point, "key" | "payload" | "vectors" | "shardKey">): {
  line: string;
  vectors: PlacedVector[];
} {
  const placed: PlacedVector[] = [];
  const shard = shardKey === undefined ? "" : `,"shardKey":${shardKey}`;
  const line = `{"key":${JSON.stringify(key)},"payload":${writeValue(payload)}${shard},"vectors":${writeValue(vectors, placed)}}`;
  return { line, vectors: placed };
}
