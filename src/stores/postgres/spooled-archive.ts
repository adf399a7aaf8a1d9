/** The archive as a file on this machine: pg_restore works in parallel only on one that it can seek in. */
import { open, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { DumpSource } from "../store.ts";
import { needingRoom, writeAll } from "../../util/fs/durable.ts";
import { checkedBytes } from "./decode.ts";
import { archiveFile } from "./dump-files.ts";
import type { Surroundings } from "./view.ts";

/** Its path; undefined where it is not wanted or there is no room: then the restore streams. The engine removes the folder. */
export async function spoolArchive(
  source: DumpSource,
  { config, context }: Surroundings,
): Promise<string | undefined> {
  if (config.restoreJobs === 1) return undefined;
  const sizeBytes =
    source.manifest.files.find(({ path }) => path.endsWith(`/${archiveFile}`))?.sizeBytes ?? 0;
  const disk = await statfs(context.spoolFolder);
  if (disk.bavail * disk.bsize < sizeBytes * 1.1) {
    context.observer.warn(context.name, "no room for a spool file, so the restore runs in one job");
    return undefined;
  }
  const path = join(context.spoolFolder, `${context.name}-${archiveFile}`);
  await using file = await open(path, "w", 0o600);
  for await (const bytes of checkedBytes(source, archiveFile)) {
    context.signal.throwIfAborted();
    await needingRoom(path, writeAll(file, [bytes]));
  }
  return path;
}
