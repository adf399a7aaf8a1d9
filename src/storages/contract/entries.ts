import type { Storage, StorageEntry } from "../storage.ts";

/** A whole listing, for tests. */
export async function entriesOf(storage: Storage, prefix = ""): Promise<StorageEntry[]> {
  const entries: StorageEntry[] = [];
  for await (const entry of storage.list(prefix)) entries.push(entry);
  return entries.sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** The names of a whole listing, sorted, for tests. */
export async function namesOf(storage: Storage, prefix = ""): Promise<string[]> {
  return (await entriesOf(storage, prefix)).map(({ name }) => name);
}
