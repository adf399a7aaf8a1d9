/** Reads a collection's dump files: each line with its vectors, checked for order and completeness. */
import { isUtf8 } from "node:buffer";
import { MultisetDigest, recordDigest } from "../../domain/digest.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { DumpSource } from "../store.ts";
import { damaged } from "./damaged.ts";
import { contentDigest } from "./digest.ts";
import { readValue } from "./json-read.ts";
import { writeValue } from "./json-write.ts";
import type { CollectionFiles, VectorFile } from "./layout.ts";
import { readLines } from "./lines.ts";
import { NpyReader } from "./npy.ts";
import type { PlacedVector, Value, ValueMap } from "./value.ts";

export interface DumpedRecord {
  readonly key: Buffer;
  readonly line: string;
  /** The record's members; its vectors have their bytes. */
  readonly value: ValueMap;
  readonly vectors: readonly PlacedVector[];
}

/**
 * All records, in batches. `DUMP_DAMAGED` when a line is none, keys do not ascend, a vector is missing or left over, or
 * there are more or fewer records than `schema.json` says.
 */
export async function* readCollection(
  source: DumpSource,
  files: CollectionFiles,
): AsyncGenerator<readonly DumpedRecord[]> {
  await using matrices = await Matrices.open(source, files);
  let count = 0;
  let before: Buffer | undefined;
  for await (const lines of readLines(source.read(files.file), files.file)) {
    const batch: DumpedRecord[] = [];
    for (const line of lines) {
      const vectors: PlacedVector[] = [];
      const value = readValue(line, vectors);
      const key = keyOf(value);
      if (!key) throw damaged(files.file, "a record has no key");
      if (before && Buffer.compare(before, key) > 0) throw damaged(files.file, "its keys do not ascend");
      before = key;
      if (vectors.length > 0) await matrices.attach(vectors);
      batch.push({ key, line, value: value as ValueMap, vectors });
    }
    count += batch.length;
    yield batch;
  }
  if (count !== files.records) {
    throw damaged(files.file, `it has ${count} records, ${files.records} are named in schema.json`);
  }
  await matrices.expectEnd();
}

/** Counts and digests of a dumped collection, computed anew from its files. */
export async function collectionFacts(source: DumpSource, files: CollectionFiles): Promise<CollectionFacts> {
  const keys = new MultisetDigest();
  const content = new MultisetDigest();
  for await (const batch of readCollection(source, files)) {
    for (const { key, line, vectors } of batch) {
      keys.add(recordDigest(key));
      content.add(contentDigest(line, vectors));
    }
  }
  return { name: files.name, records: content.count, keyDigest: keys.hex(), contentDigest: content.hex() };
}

/** The text of a record's first member for its key: a string, or `$bytes` for one that is not UTF-8. */
export function keyValue(key: Uint8Array): string | Uint8Array {
  return isUtf8(key) ? Buffer.from(key.buffer, key.byteOffset, key.length).toString("utf8") : key;
}

function keyOf(value: unknown): Buffer | undefined {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "key")) return undefined;
  const { key } = value as { key: unknown };
  if (typeof key === "string") return Buffer.from(key, "utf8");
  // A key of several parts: its bytes are the text of the array.
  if (Array.isArray(key)) return Buffer.from(writeValue(key as readonly Value[]), "utf8");
  return key instanceof Uint8Array ? Buffer.from(key) : undefined;
}

class Matrices implements AsyncDisposable {
  readonly #readers: ReadonlyMap<string, { reader: NpyReader; file: VectorFile; rows: number }>;
  readonly #recordsFile: string;

  private constructor(
    readers: ReadonlyMap<string, { reader: NpyReader; file: VectorFile; rows: number }>,
    recordsFile: string,
  ) {
    this.#readers = readers;
    this.#recordsFile = recordsFile;
  }

  static async open(source: DumpSource, files: CollectionFiles): Promise<Matrices> {
    const readers = new Map<string, { reader: NpyReader; file: VectorFile; rows: number }>();
    for (const file of files.vectors) {
      const reader = await NpyReader.open(file.file, source.read(file.file));
      const { type, rows, columns } = reader.matrix;
      if (type !== file.type || rows !== file.rows || columns !== file.columns) {
        throw damaged(file.file, "its shape is not the one in schema.json");
      }
      readers.set(nameOf(file), { reader, file, rows: 0 });
    }
    return new Matrices(readers, files.file);
  }

  /** Gives each vector its bytes. */
  async attach(vectors: readonly PlacedVector[]): Promise<void> {
    for (const { field, vector } of vectors) {
      const found = this.#readers.get(nameOf({ field, type: vector.type, columns: vector.columns }));
      if (!found) throw damaged(this.#recordsFile, "a record has a vector for which there is no file");
      found.rows += vector.rows;
      const taken = found.reader.take(vector.sizeBytes);
      vector.bytes = taken instanceof Promise ? await taken : taken;
    }
  }

  async expectEnd(): Promise<void> {
    for (const { reader, file, rows } of this.#readers.values()) {
      if (rows !== file.rows) throw damaged(file.file, `the records name ${rows} of its ${file.rows} rows`);
      await reader.expectEnd();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { reader } of this.#readers.values()) await reader[Symbol.asyncDispose]();
  }
}

function nameOf({ field, type, columns }: Pick<VectorFile, "field" | "type" | "columns">): string {
  return `${type}[${columns}]${field}`;
}
