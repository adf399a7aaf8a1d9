/** How a collection becomes like a dumped one: the bodies that create it, and those that change one in use. */
import { setMember } from "../format/value.ts";
import type { Value, ValueMap } from "../format/value.ts";
import { isMap, mapAt } from "./schema.ts";
import type { CollectionSchema } from "./schema.ts";
import { unnamed } from "./page.ts";
import { plainJson } from "./wire.ts";

/**
 * The body that creates the collection. No HNSW graph is built while points come in, nothing is hidden from readers,
 * and strict mode limits nothing yet: `settleBodies` sets all that at the end.
 */
export function creationBody({ config }: CollectionSchema): string {
  const { read_fan_out_factor: _factor, read_fan_out_delay_ms: _delay, ...params } = mapAt(config, "params");
  const optimizers = withoutNulls(mapAt(config, "optimizer_config"));
  delete optimizers["prevent_unoptimized"];
  // Without a value in the dump the server's own default must stay, and an explicit one could not be taken back.
  if (optimizers["indexing_threshold"] !== undefined) optimizers["indexing_threshold"] = 0n;
  const body: ValueMap = {
    ...params,
    hnsw_config: withoutNulls(mapAt(config, "hnsw_config")),
    optimizers_config: optimizers,
    wal_config: withoutNulls(mapAt(config, "wal_config")),
  };
  if (isMap(config["quantization_config"])) body["quantization_config"] = config["quantization_config"];
  if (isMap(config["metadata"])) body["metadata"] = config["metadata"];
  return plainJson(withoutNulls(body));
}

/** Bodies for `PATCH`, in order: optimisers as they were, and last of all strict mode. */
export function settleBodies({ config }: CollectionSchema): {
  readonly optimizers: string;
  readonly strict: string | undefined;
} {
  const params = mapAt(config, "params");
  const fanOut = withoutNulls({
    read_fan_out_factor: params["read_fan_out_factor"] ?? null,
    read_fan_out_delay_ms: params["read_fan_out_delay_ms"] ?? null,
  });
  const body: ValueMap = { optimizers_config: withoutNulls(mapAt(config, "optimizer_config")) };
  if (Object.keys(fanOut).length > 0) body["params"] = fanOut;
  const strict = withoutNulls(mapAt(config, "strict_mode_config"));
  return {
    optimizers: plainJson(body),
    strict: Object.keys(strict).length > 0 ? plainJson({ strict_mode_config: strict }) : undefined,
  };
}

/**
 * The `PATCH` body that gives a collection of the same fixed part the dump's settings; undefined when they are the same.
 * The server merges what it is given, and most settings cannot be unset: `settingsLeft` names those that stay.
 */
export function changeBody(now: CollectionSchema, wanted: CollectionSchema): string | undefined {
  const body: ValueMap = {};
  for (const name of ["hnsw_config", "quantization_config"]) {
    const to = wanted.config[name] ?? null;
    if (isSame(now.config[name], to)) continue;
    if (isMap(to)) body[name] = withoutNulls(to);
    else if (name === "quantization_config") body[name] = disabled;
  }
  if (!isSame(now.config["optimizer_config"], wanted.config["optimizer_config"])) {
    body["optimizers_config"] = optimizersOf(now, wanted);
  }
  const params = changed(mapAt(now.config, "params"), mapAt(wanted.config, "params"), changeableParams);
  if (params) body["params"] = params;
  const vectors = vectorChanges(now, wanted);
  if (Object.keys(vectors).length > 0) body["vectors"] = vectors;
  const sparse = sparseChanges(now, wanted);
  if (Object.keys(sparse).length > 0) body["sparse_vectors"] = sparse;
  const metadata = metadataChange(mapAt(now.config, "metadata"), mapAt(wanted.config, "metadata"));
  if (metadata) body["metadata"] = metadata;
  return Object.keys(body).length > 0 ? plainJson(body) : undefined;
}

const disabled = "Disabled";
const changeableParams = [
  "replication_factor",
  "write_consistency_factor",
  "read_fan_out_factor",
  "read_fan_out_delay_ms",
  "on_disk_payload",
];

function isSame(one: Value | undefined, other: Value | undefined): boolean {
  return plainJson(one ?? null) === plainJson(other ?? null);
}

/** Members that have another value in `wanted`; undefined when there are none. */
function changed(now: ValueMap, wanted: ValueMap, names: readonly string[]): ValueMap | undefined {
  const other = names.filter((name) => wanted[name] !== undefined && wanted[name] !== null);
  const members = other.filter((name) => !isSame(now[name], wanted[name]));
  return members.length === 0 ? undefined : Object.fromEntries(members.map((name) => [name, wanted[name]!]));
}

function optimizersOf(now: CollectionSchema, wanted: CollectionSchema): ValueMap {
  const to = mapAt(wanted.config, "optimizer_config");
  const from = mapAt(now.config, "optimizer_config");
  const optimizers = withoutNulls(to);
  // The one optimiser setting that has a word for being unset.
  const threads = "max_optimization_threads";
  if ((from[threads] ?? null) !== null && (to[threads] ?? null) === null) optimizers[threads] = "auto";
  if (from["prevent_unoptimized"] === true && to["prevent_unoptimized"] !== true) {
    optimizers["prevent_unoptimized"] = false;
  }
  return optimizers;
}

/** Dense vectors by name, the unnamed one too. */
function denseVectors({ config }: CollectionSchema): ValueMap {
  const vectors = mapAt(mapAt(config, "params"), "vectors");
  return typeof vectors["size"] === "bigint" ? { [unnamed]: vectors } : vectors;
}

function vectorChanges(now: CollectionSchema, wanted: CollectionSchema): ValueMap {
  const changes: ValueMap = {};
  const from = denseVectors(now);
  const to = denseVectors(wanted);
  for (const name of Object.keys(to)) {
    const [before, after] = [mapAt(from, name), mapAt(to, name)];
    const change = changed(before, after, ["hnsw_config", "quantization_config", "on_disk"]) ?? {};
    if (isMap(before["quantization_config"]) && !isMap(after["quantization_config"])) {
      change["quantization_config"] = disabled;
    }
    if (Object.keys(change).length > 0) setMember(changes, name, change);
  }
  return changes;
}

function sparseChanges(now: CollectionSchema, wanted: CollectionSchema): ValueMap {
  const changes: ValueMap = {};
  const from = mapAt(mapAt(now.config, "params"), "sparse_vectors");
  const to = mapAt(mapAt(wanted.config, "params"), "sparse_vectors");
  for (const name of Object.keys(to)) {
    const change = changed(mapAt(from, name), mapAt(to, name), ["index", "modifier"]);
    if (change) setMember(changes, name, change);
  }
  return changes;
}

/** The server merges metadata by its first level, and takes away a member that is `null`. */
function metadataChange(now: ValueMap, wanted: ValueMap): ValueMap | undefined {
  if (isSame(now, wanted)) return undefined;
  const change: ValueMap = {};
  for (const name of Object.keys(now)) if (!Object.hasOwn(wanted, name)) setMember(change, name, null);
  for (const name of Object.keys(wanted)) setMember(change, name, wanted[name]!);
  return change;
}

/** Paths of settings in which two collections differ: what a server could not be told, or understands in another way. */
export function settingsLeft(now: CollectionSchema, wanted: CollectionSchema): string[] {
  const paths: string[] = [];
  const compare = (path: string, one: Value | undefined, other: Value | undefined): void => {
    if (isSame(one, other)) return;
    if (!isMap(one) && !isMap(other)) {
      paths.push(path);
      return;
    }
    const [left, right] = [isMap(one) ? one : {}, isMap(other) ? other : {}];
    if (isEmpty(left) && isEmpty(right)) return;
    for (const name of new Set([...Object.keys(left), ...Object.keys(right)])) {
      compare(path === "" ? name : `${path}.${name}`, left[name], right[name]);
    }
  };
  compare("", now.config, wanted.config);
  compare("payload index", now.payloadIndexes, wanted.payloadIndexes);
  return paths;
}

function isEmpty(map: ValueMap): boolean {
  return Object.keys(map).length === 0;
}

function withoutNulls(map: ValueMap): ValueMap {
  const kept: ValueMap = {};
  for (const name of Object.keys(map)) {
    if (map[name] !== null) setMember(kept, name, map[name]!);
  }
  return kept;
}
