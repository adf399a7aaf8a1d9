/**
 * A part of an archive: some tables or schemas with all that belongs to them. pg_restore's own `--table` leaves out a
 * table's sequences, indexes, constraints and triggers; the archive's dependencies tell them.
 */
import { MemkeepError } from "../../domain/errors.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import type { RestoreSelection } from "../store.ts";
import type { ArchiveContents, ArchiveEntry } from "./archive/contents.ts";
import { sequenceFacts, sequenceValues } from "./archive/digest-archive.ts";
import { attached, relations } from "./entry-types.ts";
import { collectionName, parseCollectionName } from "./names.ts";

export interface Selection {
  readonly entries: ReadonlySet<number>;
  /** Collections whose rows are restored. */
  readonly tables: ReadonlySet<string>;
}

/**
 * The entries of a selection. `withNeeds`: also types, functions, schemas and extensions that they need, for a database
 * that has nothing yet. `CONFIG_INVALID` when it names what the dump does not have.
 */
export function selectEntries(
  contents: ArchiveContents,
  only: RestoreSelection,
  withNeeds: boolean,
): Selection {
  const byId = new Map(contents.entries.map((entry) => [entry.id, entry]));
  const chosen = new Set<number>();
  for (const name of only.collections ?? []) chosen.add(tableNamed(contents, name).id);
  for (const schema of only.schemas ?? []) {
    const inSchema = contents.entries.filter((entry) => entry.schema === schema || isSchema(entry, schema));
    if (inSchema.length === 0) throw unknown(`the schema ${schema}`);
    for (const { id } of inSchema) chosen.add(id);
  }
  let before: number;
  do {
    before = chosen.size;
    for (const entry of contents.entries) {
      if (!chosen.has(entry.id) && attached.has(entry.type) && hangsOn(entry, chosen, byId))
        chosen.add(entry.id);
    }
    if (withNeeds) for (const id of chosen) addNeeds(byId.get(id)!, chosen, contents, byId);
  } while (chosen.size > before);
  const tables = contents.entries.filter(({ id, type }) => type === "TABLE DATA" && chosen.has(id));
  return { entries: chosen, tables: new Set(tables.map(({ schema, tag }) => collectionName(schema, tag))) };
}

/** The manifest's facts of what a selection restores. */
export function expectedFacts(
  contents: ArchiveContents,
  selection: Selection,
  collections: readonly CollectionFacts[],
): CollectionFacts[] {
  const facts = collections.filter(({ name }) => selection.tables.has(name));
  const values = sequenceFacts(sequenceValues(contents, selection.entries));
  return values.records > 0 ? [...facts, values] : facts;
}

function tableNamed(contents: ArchiveContents, name: string): ArchiveEntry {
  const parsed = parseCollectionName(name);
  const found = contents.entries.find(
    ({ type, schema, tag }) => type === "TABLE" && schema === parsed?.schema && tag === parsed.table,
  );
  if (!found) throw unknown(`the table ${name}`);
  return found;
}

function isSchema({ type, tag }: ArchiveEntry, schema: string): boolean {
  return type === "SCHEMA" && tag === schema;
}

/** On at least one chosen entry, and on no relation that is not chosen: a foreign key needs both its tables. */
function hangsOn(
  { dependsOn }: ArchiveEntry,
  chosen: ReadonlySet<number>,
  byId: ReadonlyMap<number, ArchiveEntry>,
): boolean {
  const known = dependsOn.filter((id) => byId.has(id));
  const misses = known.some((id) => relations.has(byId.get(id)!.type) && !chosen.has(id));
  return !misses && known.some((id) => chosen.has(id) && !isShared(byId.get(id)!));
}

/** Many tables need one: a table's neighbour is not wanted because both use a type. */
function isShared({ type }: ArchiveEntry): boolean {
  return !relations.has(type) && !attached.has(type);
}

function addNeeds(
  entry: ArchiveEntry,
  chosen: Set<number>,
  contents: ArchiveContents,
  byId: ReadonlyMap<number, ArchiveEntry>,
): void {
  for (const id of entry.dependsOn) if (byId.has(id)) chosen.add(id);
  for (const other of contents.entries) {
    if (isSchema(other, entry.schema) || other.type === "EXTENSION") chosen.add(other.id);
    if (["ENCODING", "STDSTRINGS", "SEARCHPATH"].includes(other.type)) chosen.add(other.id);
  }
}

function unknown(what: string): MemkeepError {
  return new MemkeepError("CONFIG_INVALID", {
    tried: "restore a part of the dump",
    happened: `it does not have ${what}`,
    next: "`memkeep ls` lists what a snapshot has.",
  });
}
