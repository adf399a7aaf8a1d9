import { join } from "node:path";

import { installed } from "../cache.ts";
import { unpackDebian } from "../debian.ts";
import { wrapWithLibraries } from "../wrap.ts";

/**
 * The path of Debian 12's `sqlite3` shell (3.40.1), installed on the first call: the reader of database files that
 * shares no code with the SQLite inside Node.
 */
export async function sqliteShell(): Promise<string> {
  const folder = await installed("sqlite3-3.40.1", async (into) => {
    await unpackDebian("bookworm", ["sqlite3", "libsqlite3-0", "libreadline8", "libtinfo6"], into);
    await wrapWithLibraries(into, ["usr/bin/sqlite3"]);
  });
  return join(folder, "bin/sqlite3");
}
