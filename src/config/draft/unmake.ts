/** Takes a repository away again that was made a moment ago and holds nothing yet. */
import { rmdir } from "node:fs/promises";
import { join } from "node:path";
import { isMemkeepError } from "../../domain/errors.ts";
import { removeAll } from "../../storages/remove-all.ts";
import type { ConfiguredRepository } from "../configuration.ts";
import { errnoOf } from "../../util/fs/durable.ts";

/** Folders that may have been made with it. */
const folders = ["keys", "locks", "index", "data", "snapshots"];

/**
 * For one that `isMade` said is not there, and that was made since. Its config and its keys go, which is all that a new one
 * holds; folders go where they are empty, so that whatever else lies there stays.
 */
export async function unmakeRepository({ place }: ConfiguredRepository): Promise<void> {
  let storage;
  try {
    storage = await place.open();
  } catch (error) {
    if (isMemkeepError(error, "STORAGE_MISSING")) return;
    throw error;
  }
  try {
    const names = ["config"];
    for await (const { name } of storage.list("keys/")) names.push(name);
    await removeAll(storage, names, () => Promise.resolve());
  } finally {
    await storage.close();
  }
  if (place.kind !== "local") return;
  const { path } = place.config as { path: string };
  for (const folder of folders) await removeEmpty(join(path, folder));
  await removeEmpty(path);
}

async function removeEmpty(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    if (!["ENOENT", "ENOTEMPTY", "EEXIST", "ENOTDIR"].includes(errnoOf(error) ?? "")) throw error;
  }
}
