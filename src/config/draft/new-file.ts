/** Writes files that are not there yet, whole or not at all. */
import { randomBytes } from "node:crypto";
import { link, open, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MemkeepError } from "../../domain/errors.ts";
import { fileReason } from "../../util/fs/file-reason.ts";
import { errnoOf, makeFolder, syncFile, syncFolder, writeAll } from "../../util/fs/durable.ts";

/**
 * `USAGE` where there is a file already: it stays as it is, also when it appears in this moment. Durable when it resolves. The
 * folder is made where it is missing.
 */
export async function writeNewFile(path: string, text: string, mode: number): Promise<void> {
  const folder = dirname(path);
  const beside = join(folder, `.${basename(path)}.${randomBytes(6).toString("hex")}`);
  try {
    await makeFolder(folder);
    await using file = await open(beside, "wx", mode);
    try {
      await writeAll(file, [Buffer.from(text)]);
      await syncFile(file);
      // A link is refused where a file is; a rename would replace it.
      await link(beside, path);
    } finally {
      await unlink(beside);
    }
    await syncFolder(folder);
  } catch (cause) {
    const there = errnoOf(cause) === "EEXIST";
    throw new MemkeepError("USAGE", {
      tried: `write ${path}`,
      happened: there ? "there is such a file already, and it is never overwritten" : fileReason(cause),
      next: there
        ? "Use it as it is, move it away, or name another one with --config."
        : "Check the folder and who may write there.",
      cause,
    });
  }
}
