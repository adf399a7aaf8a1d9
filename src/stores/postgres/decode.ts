/** Reads a dump back without a database, and checks every byte of it. */
import { createHash } from "node:crypto";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { damaged } from "../format/damaged.ts";
import type { DumpSource } from "../store.ts";
import { ArchiveDigester } from "./archive/digest-archive.ts";
import { type TablesFile, parseTables } from "./tables-file.ts";
import { archiveFile, tablesFile } from "./dump-files.ts";

/** The bytes of a dump file. Rejects with `DUMP_DAMAGED` at its end when they are not those of the manifest. */
export async function* checkedBytes(source: DumpSource, name: string): AsyncGenerator<Buffer> {
  const file = source.manifest.files.find(({ path }) => path.slice(path.indexOf("/") + 1) === name);
  if (!file) throw damaged(name, "the manifest does not have it");
  const sha256 = createHash("sha256");
  for await (const bytes of source.read(name)) {
    sha256.update(bytes);
    yield bytes;
  }
  if (sha256.digest("hex") !== file.sha256)
    throw damaged(name, "its bytes are not those that the manifest says");
}

export async function readTables(source: DumpSource): Promise<TablesFile> {
  const parts: Buffer[] = [];
  for await (const part of checkedBytes(source, tablesFile)) parts.push(Buffer.from(part));
  return parseTables(Buffer.concat(parts));
}

/** See `StoreKind.decode`. */
export async function decodeDump(
  source: DumpSource,
  signal: AbortSignal,
): Promise<readonly CollectionFacts[]> {
  const { tables } = await readTables(source);
  const shapes = new Map(tables.map(({ name, key, integers }) => [name, { key, integers }]));
  const digester = new ArchiveDigester((_, name) => shapes.get(name));
  for await (const bytes of checkedBytes(source, archiveFile)) {
    signal.throwIfAborted();
    digester.push(bytes);
  }
  return digester.end().collections;
}
