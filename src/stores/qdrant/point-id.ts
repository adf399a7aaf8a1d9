/**
 * Ids of points and keys of records. An id is a 64-bit number or a UUID; it is kept as text: digits, or the hyphenated
 * lower-case form that the server prints. Under custom sharding one id under two shard keys is two points.
 */
import type { Value } from "../format/value.ts";

/** Numbers first, by size; then UUIDs, by their 128 bits: the server's order. */
export function compareIds(a: string, b: string): number {
  const [isUuidA, isUuidB] = [isUuid(a), isUuid(b)];
  if (isUuidA !== isUuidB) return isUuidA ? 1 : -1;
  if (!isUuidA && a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

export function isUuid(id: string): boolean {
  return id.length === 36;
}

/** The id as JSON. */
export function idJson(id: string): string {
  return isUuid(id) ? `"${id}"` : id;
}

const idPattern = /^(?:0|[1-9]\d{0,19}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;
const largestNumber = 2n ** 64n - 1n;

export function isPointId(text: string): boolean {
  return idPattern.test(text) && (isUuid(text) || BigInt(text) <= largestNumber);
}

/** The id of a JSON value that the server printed. */
export function idOf(value: Value | undefined): string {
  const text = typeof value === "bigint" ? value.toString() : value;
  if (typeof text !== "string" || !isPointId(text))
    throw new TypeError("the server named a point by something else than an id");
  return text;
}

/**
 * The canonical key of a record: the id, and under custom sharding `@` and the shard key as JSON (`7@"eu"`, `7@12`). No id
 * has an `@`, so no two records share a key.
 */
export function recordKey(id: string, shardKey: string | undefined): string {
  return shardKey === undefined ? id : `${id}@${shardKey}`;
}

/** The parts of a canonical key; undefined for a text that is none. */
export function parseKey(key: string): { id: string; shardKey: string | undefined } | undefined {
  const at = key.indexOf("@");
  const id = at < 0 ? key : key.slice(0, at);
  if (!isPointId(id)) return undefined;
  return { id, shardKey: at < 0 ? undefined : key.slice(at + 1) };
}

/** Where an id stands among all ids: the numbers, then the UUIDs. */
export function positionOf(id: string): bigint {
  return isUuid(id) ? firstUuid + BigInt(`0x${id.replaceAll("-", "")}`) : BigInt(id);
}

export const firstUuid: bigint = 2n ** 64n;

export function idAt(position: bigint): string {
  if (position < firstUuid) return position.toString();
  const hex = (position - firstUuid).toString(16).padStart(32, "0");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
