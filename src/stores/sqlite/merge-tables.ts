/**
 * A dumped copy and a database in use side by side, table by table: which of the dump's records are missing there, which are
 * other ones, and which cannot be told apart. Rows are held against each other by key and digest, implicit rowids left out.
 */
import { rmSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { MultisetDigest, recordDigest } from "../../domain/digest.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { KeyDigest } from "../store.ts";
import { sortedKeys } from "./keys.ts";
import { type Catalog, type Table, readCatalog } from "./schema.ts";
import { quoteName, scalar } from "./sql.ts";

/** How a merge treats a table of the dump. */
export interface MergeTable {
  readonly table: Table;
  /** False: it may only be looked at; what is missing in it cannot be written. */
  readonly isWritable: boolean;
}

export interface MergeTables {
  readonly compared: readonly MergeTable[];
  /** Indexes that virtual tables keep by themselves, and SQLite's own tables: neither written nor compared. */
  readonly leftAlone: readonly string[];
}

/** Tables that hold an FTS index, and nothing that could not be made again from the text. */
const indexTables = /_(?:data|idx|docsize|config|segments|segdir|stat)$/;

/** Which tables of a dumped copy a merge is about. Nothing in `db` is changed. */
export function mergeTables(db: DatabaseSync): MergeTables {
  const catalog = readCatalog(db);
  const compared: MergeTable[] = [];
  const leftAlone: string[] = [];
  for (const table of catalog.tables) {
    const { name } = table;
    const owner = ownerOf(db, catalog, name);
    const isIndex =
      owner !== undefined && /\busing\s+fts\d/i.test(sqlOf(db, owner)) && indexTables.test(name);
    if (name.startsWith("sqlite_") || isIndex) leftAlone.push(name);
    else compared.push({ table, isWritable: owner === undefined && table.key.length > 0 });
  }
  return { compared, leftAlone };
}

/** The virtual table that a table is the inside of. Where its module is not here, SQLite itself cannot tell: then its name does. */
export function ownerOf(db: DatabaseSync, { virtualTables }: Catalog, name: string): string | undefined {
  const isShadow =
    scalar(db, "SELECT type FROM pragma_table_list(?) WHERE schema = 'main'", name) === "shadow";
  return virtualTables.find(
    (virtual) => name.startsWith(`${virtual.name}_`) && (isShadow || virtual.problem !== undefined),
  )?.name;
}

function sqlOf(db: DatabaseSync, name: string): string {
  return String(scalar(db, "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", name));
}

/** What stands in the way of comparing a table at all; undefined when it is the same table there. */
export function differenceOf(table: Table, there: Catalog, dumped: Catalog): string | undefined {
  // Digests of text are those of its bytes.
  if (there.encoding !== dumped.encoding)
    return `the database's text is ${there.encoding}, the snapshot's ${dumped.encoding}`;
  const other = there.tables.find(({ name }) => name === table.name);
  if (!other) return `the database has no table ${table.name}`;
  const shape = ({ columns, key }: Table): string => JSON.stringify([columns.map(({ name }) => name), key]);
  return shape(other) === shape(table)
    ? undefined
    : `the table ${table.name} has other columns or another key there`;
}

/** A key of the dump with the digests of its rows on both sides. */
export interface Side {
  readonly key: Uint8Array;
  readonly dumped: readonly Uint8Array[];
  readonly there: readonly Uint8Array[];
}

export type Change = "insert" | "update" | "none" | "impossible";

/** What a merge must do about a key. */
export function changeFor({ dumped, there }: Side, isWritable: boolean): Change {
  const rest = there.map(hex);
  const isThere = dumped.every((digest) => {
    const at = rest.indexOf(hex(digest));
    if (at >= 0) rest.splice(at, 1);
    return at >= 0;
  });
  if (isThere) return "none";
  // A primary key may hold NULLs, and then rows of one key: none of them can be named.
  if (!isWritable || dumped.length > 1 || there.length > 1) return "impossible";
  return there.length === 0 ? "insert" : "update";
}

/** One walk over a table of both sides, in the order of keys; only keys of the dump are given. */
export function* walkTable(
  dump: DatabaseSync,
  live: DatabaseSync,
  table: Table,
  scratchOf: (side: string) => string,
): Generator<Side> {
  const scratch = [scratchOf("dump"), scratchOf("live")] as const;
  const left = groups(sortedKeys(dump, table, encodingOf(dump), scratch[0]));
  const right = groups(sortedKeys(live, table, encodingOf(live), scratch[1]));
  try {
    let there = right.next();
    for (const { key, digests } of left) {
      while (there.done !== true && Buffer.compare(there.value.key, key) < 0) there = right.next();
      const isThere = there.done !== true && Buffer.compare(there.value.key, key) === 0;
      yield { key, dumped: digests, there: isThere && there.done !== true ? there.value.digests : [] };
    }
  } finally {
    left.return(undefined);
    right.return(undefined);
    for (const path of scratch) rmSync(path, { force: true });
  }
}

function encodingOf(db: DatabaseSync): Catalog["encoding"] {
  return String(scalar(db, "PRAGMA encoding")) as Catalog["encoding"];
}

/** Rows of equal keys together. */
function* groups(
  batches: Iterable<readonly KeyDigest[]>,
): Generator<{ readonly key: Uint8Array; readonly digests: Uint8Array[] }, undefined> {
  let group: { readonly key: Uint8Array; readonly digests: Uint8Array[] } | undefined;
  for (const batch of batches) {
    for (const { key, digest } of batch) {
      if (group && Buffer.compare(group.key, key) === 0) {
        group.digests.push(digest);
        continue;
      }
      if (group) yield group;
      group = { key, digests: [digest] };
    }
  }
  if (group) yield group;
  return undefined;
}

/** Counts and digests of the dump's records, on one side of a walk. */
export class SideFacts {
  readonly #name: string;
  readonly #keys = new MultisetDigest();
  readonly #content = new MultisetDigest();

  constructor(name: string) {
    this.#name = name;
  }

  add(key: Uint8Array, digests: readonly Uint8Array[]): void {
    for (const digest of digests) {
      this.#keys.add(recordDigest(key));
      this.#content.add(digest);
    }
  }

  get facts(): CollectionFacts {
    return {
      name: this.#name,
      records: this.#content.count,
      keyDigest: this.#keys.hex(),
      contentDigest: this.#content.hex(),
    };
  }
}

/** Those of a key's rows that the dump has, as they are there: all of them where nothing is missing. */
export function presentOf({ dumped, there }: Side): readonly Uint8Array[] {
  // One row of the key on each side is the same record, whatever it holds.
  if (dumped.length === 1 && there.length === 1) return there;
  const wanted = dumped.map(hex);
  return there.filter((digest) => {
    const at = wanted.indexOf(hex(digest));
    if (at >= 0) wanted.splice(at, 1);
    return at >= 0;
  });
}

function hex(digest: Uint8Array): string {
  return Buffer.from(digest).toString("hex");
}

/** Rows of a table as the connection sees them. */
export function countOf(db: DatabaseSync, { name }: Table): number {
  return Number(scalar(db, `SELECT count(*) FROM ${quoteName(name)} NOT INDEXED`));
}
