/**
 * The facts of a dump, taken from its own stream: of every table, of the large objects, and of the sequences' values,
 * which stand in the table of contents.
 */
import { MemkeepError } from "../../../domain/errors.ts";
import { MultisetDigest, recordDigest } from "../../../domain/digest.ts";
import type { CollectionFacts } from "../../../domain/manifest.ts";
import { type RowColumn, rowShape } from "../canonical-row.ts";
import { collectionName, copyColumns } from "../names.ts";
import type { ArchiveContents, ArchiveEntry } from "./contents.ts";
import { LargeObjectDigester } from "./digest-large-objects.ts";
import { RowDigester } from "./digest-rows.ts";
import { ArchiveScanner, type DataSink } from "./scanner.ts";

/** No table can have this name: theirs have a dot. */
export const sequences = "sequences";

/** What the catalogue, or the dump's list of tables, says of a table. */
export interface TableShape {
  /** The primary key's columns in its order; undefined without one. */
  readonly key: readonly string[] | undefined;
  /** Columns of the integer types. */
  readonly integers: readonly string[];
}

/** Where a table lies in the archive. */
export interface TableData {
  readonly name: string;
  readonly entry: ArchiveEntry;
  readonly columns: readonly string[];
  /** Of its block; from here pg_restore could read it, given the table of contents. */
  readonly offset: number;
  readonly sizeBytes: number;
}

export interface ArchiveFacts {
  readonly contents: ArchiveContents;
  readonly collections: readonly CollectionFacts[];
  readonly tables: readonly TableData[];
}

/** Digests the bytes pushed into it. Its memory grows with the table of contents, not with the data. */
export class ArchiveDigester {
  readonly #scanner: ArchiveScanner;
  readonly #rows: RowDigester[] = [];
  readonly #largeObjects: LargeObjectDigester = new LargeObjectDigester();
  readonly #tables: TableData[] = [];
  #contents: ArchiveContents | undefined;

  /** `shapeOf` is asked for every table with data; undefined for a table that should not be there. */
  constructor(shapeOf: (entry: ArchiveEntry, name: string) => TableShape | undefined) {
    this.#scanner = new ArchiveScanner({
      contents: (contents) => void (this.#contents = contents),
      entry: (entry, offset) => this.#entry(entry, offset, shapeOf),
    });
  }

  push(bytes: Buffer): void {
    this.#scanner.push(bytes);
  }

  /** `DUMP_INCOMPLETE` when the archive is not whole. */
  end(): ArchiveFacts {
    this.#scanner.end();
    const contents = this.#contents!;
    const collections = this.#rows.map((rows) => rows.facts());
    const objects = this.#largeObjects.facts();
    if (objects.records > 0) collections.push(objects);
    const values = sequenceFacts(sequenceValues(contents));
    if (values.records > 0) collections.push(values);
    return { contents, collections, tables: this.#tables };
  }

  #entry(
    entry: ArchiveEntry,
    offset: number,
    shapeOf: (entry: ArchiveEntry, name: string) => TableShape | undefined,
  ): { sink: DataSink; finished: (offset: number) => void } {
    if (entry.type === "BLOBS") return { sink: this.#largeObjects, finished: () => undefined };
    const columns = copyColumns(entry.copy);
    const name = collectionName(entry.schema, entry.tag);
    const shape = shapeOf(entry, name);
    if (entry.type !== "TABLE DATA" || !columns || !shape) {
      throw new MemkeepError("DUMP_INCOMPLETE", {
        tried: "read the dump",
        happened: `it has ${entry.type} ${name}, which the list of tables does not have`,
      });
    }
    const rowColumns: RowColumn[] = columns.map((column) => ({
      name: column,
      isInteger: shape.integers.includes(column),
    }));
    const rows = new RowDigester(name, rowShape(rowColumns, shape.key));
    this.#rows.push(rows);
    return {
      sink: rows,
      finished: (end) => this.#tables.push({ name, entry, columns, offset, sizeBytes: end - offset }),
    };
  }
}

export interface SequenceValue {
  readonly schema: string;
  readonly tag: string;
  readonly value: string | undefined;
  /** `true` or `false`, as `setval` takes it. */
  readonly isCalled: string | undefined;
}

/** pg_dump reads a sequence's value when it dumps it: that is not part of the snapshot, in PostgreSQL itself. */
export function sequenceValues({ entries }: ArchiveContents, chosen?: ReadonlySet<number>): SequenceValue[] {
  return entries
    .filter(({ id, type }) => type === "SEQUENCE SET" && chosen?.has(id) !== false)
    .map(({ schema, tag, definition }) => {
      const found = /, (-?\d+), (true|false)\);\s*$/.exec(definition);
      return { schema, tag, value: found?.[1], isCalled: found?.[2] };
    });
}

export function sequenceFacts(values: readonly SequenceValue[]): CollectionFacts {
  const content = new MultisetDigest();
  const keys = new MultisetDigest();
  for (const { schema, tag, value, isCalled } of values) {
    const name = collectionName(schema, tag);
    keys.add(recordDigest(Buffer.from(name)));
    content.add(recordDigest(Buffer.from(JSON.stringify([name, value, isCalled]))));
  }
  return { name: sequences, records: keys.count, keyDigest: keys.hex(), contentDigest: content.hex() };
}
