/** What `doctor` wants to know of a folder: its room, and the clock of the machine that holds it. */
import { open, stat, statfs, unlink } from "node:fs/promises";
import { join } from "node:path";
import { isMemkeepError } from "../../domain/errors.ts";
import type { StorageFacts } from "../storage.ts";
import { fileFailure } from "./errors.ts";
import { temporaryPath } from "./temporary.ts";

/** Rejects where the folder cannot be looked at. Where it cannot be written, the clock is not known. */
export async function inspectFolder(path: string): Promise<StorageFacts> {
  try {
    const { bavail, bsize } = await statfs(path);
    return {
      keepsRemoved: false,
      timeMs: await clockOf(path),
      freeBytes: bavail * bsize,
      sentences: [],
    };
  } catch (error) {
    throw fileFailure(error, `look at the folder ${path}`);
  }
}

/** A new file's time is that of the server, where the folder is one's. */
async function clockOf(folder: string): Promise<number | undefined> {
  const path = temporaryPath(join(folder, "doctor"));
  try {
    await using _file = await open(path, "wx", 0o600);
  } catch (error) {
    if (isMemkeepError(fileFailure(error, "write"), "STORAGE_DENIED", "STORAGE_READ_ONLY", "STORAGE_FULL")) {
      return undefined;
    }
    throw error;
  }
  const { mtimeMs } = await stat(path);
  await unlink(path);
  return mtimeMs;
}
