/** Which entries of an archive a restore takes. */
import type { ArchiveContents, ArchiveEntry } from "./archive/contents.ts";

export interface EntryChoice {
  /** Of a part; undefined for all. */
  readonly selected: ReadonlySet<number> | undefined;
  readonly isSuperuser: boolean;
  /** In place: extensions and schemas that are there already stay. */
  readonly there: { readonly extensions: ReadonlySet<string>; readonly schemas: ReadonlySet<string> };
  /** For a drill: nothing that talks to other servers. */
  readonly isScratch: boolean;
}

/** Ids in the archive's order. */
export function chooseEntries(contents: ArchiveContents, choice: EntryChoice): number[] {
  return contents.entries.filter((entry) => isChosen(entry, choice)).map(({ id }) => id);
}

function isChosen(entry: ArchiveEntry, { selected, isSuperuser, isScratch, there }: EntryChoice): boolean {
  if (selected && !selected.has(entry.id)) return false;
  // Only an extension's owner may comment on it, and an extension of the server's is never ours.
  if (!isSuperuser && entry.type === "COMMENT" && entry.tag.startsWith("EXTENSION ")) return false;
  if (entry.type === "EXTENSION" && there.extensions.has(entry.tag)) return false;
  if (entry.type === "SCHEMA" && there.schemas.has(entry.tag)) return false;
  if (isScratch && entry.type.startsWith("SUBSCRIPTION")) return false;
  return true;
}
