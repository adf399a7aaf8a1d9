/**
 * Everything of a collection that is not a point, as `schema.json` holds it: the server's own words, members sorted,
 * numbers as the server printed them. And how a new collection becomes like it.
 */
import { readPlainJson } from "../format/json-read.ts";
import { compareUtf8, setMember } from "../format/value.ts";
import type { ElementType, Value, ValueMap } from "../format/value.ts";
import { unnamed } from "./page.ts";
import { elementTypeOf } from "./vectors.ts";
import { plainJson } from "./wire.ts";

export interface CollectionSchema {
  /** `config` of `GET /collections/{name}`. */
  readonly config: ValueMap;
  /** Field → what an index on it is created with. */
  readonly payloadIndexes: ValueMap;
  /** Shard keys under custom sharding, as JSON, with the number of shards of each where the server told. */
  readonly shardKeys: readonly { readonly key: string; readonly shards: number | undefined }[] | undefined;
  /** Further names of the collection. */
  readonly aliases: readonly string[];
  /** The name itself is an alias: the application does not know the collection's own name. */
  readonly isAlias: boolean;
}

/** A member that is a map; an empty one where there is none. */
export function mapAt(value: Value | undefined, name: string): ValueMap {
  const member = isMap(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return isMap(member) ? member : {};
}

export function isMap(value: Value | undefined): value is ValueMap {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** The same value with the members of all maps in one order: the server prints hash maps in any. */
export function sorted(value: Value): Value {
  if (Array.isArray(value)) return (value as Value[]).map(sorted);
  if (!isMap(value)) return value;
  const map: ValueMap = {};
  for (const name of Object.keys(value).sort(compareUtf8)) setMember(map, name, sorted(value[name]!));
  return map;
}

/** `payload_schema` → what creates the same indexes. */
export function indexesOf(payloadSchema: ValueMap): ValueMap {
  const indexes: ValueMap = {};
  for (const field of Object.keys(payloadSchema)) {
    const index = payloadSchema[field]!;
    const params = mapAt(index, "params");
    const dataType = isMap(index) ? index["data_type"] : undefined;
    setMember(indexes, field, Object.keys(params).length > 0 ? params : dataType!);
  }
  return sorted(indexes) as ValueMap;
}

/** `keyword`, `integer`, …: what an index is created with says it by itself or in its parameters. */
export function indexType(index: Value): Value | undefined {
  return isMap(index) ? index["type"] : index;
}

/** Indexes that shape how points are stored must be there before the points. */
export function isStorageIndex(index: Value): boolean {
  return isMap(index) && (index["is_tenant"] === true || index["is_principal"] === true);
}

/** The element type of each dense vector. */
export function vectorTypes({ config }: Pick<CollectionSchema, "config">): Map<string, ElementType> {
  const vectors = mapAt(mapAt(config, "params"), "vectors");
  if (typeof vectors["size"] === "bigint") return new Map([[unnamed, elementTypeOf(vectors["datatype"])]]);
  return new Map(Object.keys(vectors).map((name) => [name, elementTypeOf(mapAt(vectors, name)["datatype"])]));
}

/** Bytes that a point's vectors have as JSON, roughly; for the first pages. */
export function estimatedPointBytes({ config }: Pick<CollectionSchema, "config">): number {
  const vectors = mapAt(mapAt(config, "params"), "vectors");
  const all = typeof vectors["size"] === "bigint" ? [vectors] : Object.values(vectors);
  const numbers = all.reduce<number>((sum, vector) => {
    const size = isMap(vector) && typeof vector["size"] === "bigint" ? Number(vector["size"]) : 0;
    const isMulti = isMap(vector) && isMap(vector["multivector_config"]);
    return sum + size * (isMulti ? 32 : 1);
  }, 0);
  return 500 + numbers * 12;
}

export function isCustomSharded({ config }: Pick<CollectionSchema, "config">): boolean {
  return mapAt(config, "params")["sharding_method"] === "custom";
}

/** A limit of strict mode; undefined when it limits nothing. */
export function strictLimit({ config }: Pick<CollectionSchema, "config">, name: string): number | undefined {
  const strict = mapAt(config, "strict_mode_config");
  const limit = strict["enabled"] === true ? strict[name] : undefined;
  return typeof limit === "bigint" ? Number(limit) : undefined;
}

/** The part that cannot be changed once a collection exists: points of one kind fit only into the same kind. */
export function fixedPart({ config }: Pick<CollectionSchema, "config">): string {
  const params = mapAt(config, "params");
  const vectors = mapAt(params, "vectors");
  const fixed = (vector: Value): Value => {
    const { size, distance, datatype, multivector_config } = vector as ValueMap;
    return {
      size: size!,
      distance: distance!,
      datatype: datatype ?? "float32",
      multi: multivector_config ?? null,
    };
  };
  const kinds: ValueMap = {};
  if (typeof vectors["size"] === "bigint") kinds[unnamed] = fixed(vectors);
  else for (const name of Object.keys(vectors)) setMember(kinds, name, fixed(vectors[name]!));
  const sparse = Object.keys(mapAt(params, "sparse_vectors")).sort(compareUtf8);
  return plainJson(sorted({ vectors: kinds, sparse, sharding: params["sharding_method"] ?? "auto" }));
}

/** For `writeLayout`, which prints with `JSON.stringify`: numbers keep the text that they had. */
export function schemaMember(value: Value): unknown {
  if (typeof value === "bigint" || typeof value === "number") {
    return (JSON as typeof JSON & { rawJSON(text: string): unknown }).rawJSON(plainJson(value));
  }
  if (Array.isArray(value)) return (value as Value[]).map(schemaMember);
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.keys(value).map((name) => [name, schemaMember(value[name]!)]));
}

export function schemaValue(schema: CollectionSchema): Value {
  const { config, payloadIndexes, shardKeys, aliases, isAlias } = schema;
  return sorted({
    config,
    payloadIndexes,
    aliases,
    isAlias,
    ...(shardKeys === undefined
      ? {}
      : {
          shardKeys: shardKeys.map(({ key, shards }) => ({
            key: readPlainJson(key),
            ...(shards === undefined ? {} : { shards: BigInt(shards) }),
          })),
        }),
  });
}

/** What `schemaValue` made, out of a dump. Throws `TypeError` for anything else. */
export function schemaOf(value: Value | undefined): CollectionSchema {
  if (!isMap(value) || !isMap(value["config"])) throw new TypeError("a collection has no config");
  const aliases = value["aliases"];
  if (!Array.isArray(aliases) || !aliases.every((alias): alias is string => typeof alias === "string")) {
    throw new TypeError("a collection has no list of aliases");
  }
  const shardKeys = value["shardKeys"];
  return {
    config: value["config"],
    payloadIndexes: mapAt(value, "payloadIndexes"),
    aliases,
    isAlias: value["isAlias"] === true,
    shardKeys: Array.isArray(shardKeys) ? (shardKeys as Value[]).map(shardKeyOf) : undefined,
  };
}

function shardKeyOf(value: Value): { key: string; shards: number | undefined } {
  const { key, shards } = value as ValueMap;
  if (typeof key !== "string" && typeof key !== "bigint")
    throw new TypeError("a shard key is neither text nor number");
  return { key: plainJson(key), shards: typeof shards === "bigint" ? Number(shards) : undefined };
}
