/** A dump as a restore and `verify --level decoded` read it: its collections, each with the schema and the facts of the manifest. */
import { MemkeepError } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { damaged } from "../format/damaged.ts";
import { readPlainJson } from "../format/json-read.ts";
import { readLayout, schemaFile } from "../format/layout.ts";
import type { CollectionFiles } from "../format/layout.ts";
import type { DumpedRecord } from "../format/read-collection.ts";
import { collectionFacts } from "../format/read-collection.ts";
import type { DumpSource } from "../store.ts";
import { isMap, mapAt, schemaOf } from "./schema.ts";
import type { CollectionSchema } from "./schema.ts";
import { parseKey } from "./point-id.ts";
import type { WritablePoint } from "./wire.ts";

export interface DumpedCollection {
  readonly name: string;
  readonly files: CollectionFiles;
  readonly schema: CollectionSchema;
}

/** `DUMP_DAMAGED` when `schema.json` is not what a Qdrant dump has, `MANIFEST_VERSION` for a newer one. */
export async function readContents(source: DumpSource): Promise<readonly DumpedCollection[]> {
  const layout = await readLayout(source, "qdrant");
  const parts: Uint8Array[] = [];
  for await (const part of source.read(schemaFile)) parts.push(part);
  // Once more, with its numbers as they are written.
  const schemas = mapAt(readPlainJson(Buffer.concat(parts).toString("utf8")), "schema");
  return layout.collections.map((files) => {
    try {
      return {
        name: files.name,
        files,
        schema: schemaOf(Object.hasOwn(schemas, files.name) ? schemas[files.name] : undefined),
      };
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause;
      throw damaged(schemaFile, cause.message, cause);
    }
  });
}

/** Counts and digests, computed anew from the files. */
export async function decodeDump(source: DumpSource): Promise<readonly CollectionFacts[]> {
  const facts: CollectionFacts[] = [];
  for (const { files } of await readContents(source)) facts.push(await collectionFacts(source, files));
  return facts;
}

/** Rejects with `DUMP_DAMAGED` when the files hold something else than the manifest says. */
export function expectFacts(source: DumpSource, found: CollectionFacts, file: string): void {
  const expected = source.manifest.collections.find(({ name }) => name === found.name);
  const agrees =
    expected?.records === found.records &&
    expected.keyDigest === found.keyDigest &&
    expected.contentDigest === found.contentDigest;
  if (!agrees) throw damaged(file, "its records are not those that the manifest names");
}

/** The point that a record describes, and its shard key. `DUMP_DAMAGED` for a record that describes none. */
export function pointOf(
  { key, value }: Pick<DumpedRecord, "key" | "value">,
  file: string,
): WritablePoint & { readonly shardKey: string | undefined } {
  const parsed = parseKey(key.toString("utf8"));
  const { payload, vectors } = value;
  if (!parsed || payload === undefined || !isMap(vectors)) {
    throw damaged(file, "a record has no id, payload or vectors of a point");
  }
  return { ...parsed, payload, vectors };
}

/** What a writer of a request body throws for values that no server gave. */
export function unwritable(error: unknown, file: string): unknown {
  return error instanceof TypeError ? damaged(file, error.message, error) : error;
}

export function tooNew(version: number, known: number): MemkeepError {
  return new MemkeepError("MANIFEST_VERSION", {
    tried: "restore the dump",
    happened: `it has version ${version}, this memkeep reads up to ${known}`,
    next: "Use a newer memkeep.",
  });
}
