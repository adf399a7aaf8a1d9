import type { Dirent, Stats } from "node:fs";
import { lstat, opendir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { MemkeepError } from "../../domain/errors.ts";
import { errnoOf } from "../../util/fs/durable.ts";

/** How many files are looked at side by side. */
const statBatch = 32;

interface Walk {
  /** The storage's own folder. */
  readonly root: string;
  /** Which names count; others, and what is below them, are passed over. */
  accepts(segment: string): boolean;
  readonly path: string;
  /** Passes over symbolic links to nothing, where entries are not what is looked for. */
  readonly skipsDangling?: boolean;
  /** Put in front of every name: `""`, or a folder path ending in `/`. */
  readonly prefix: string;
}

/** A file below a folder. Symbolic links are followed. */
export interface FoundFile {
  readonly name: string;
  readonly path: string;
  readonly stats: Stats;
}

/**
 * All files below a folder, folder by folder. It holds the names of one folder's folders and of `statBatch` files, no
 * more. What vanishes meanwhile is left out; a symbolic link to nothing is an error, since it may be a disk that is
 * not there, and entries must not silently be fewer (law 3). Rejects with ENOENT or ENOTDIR when there is no folder.
 */
export async function* walk(walked: Walk, above: readonly string[] = []): AsyncGenerator<FoundFile> {
  const self = await stat(walked.path);
  const identity = `${self.dev}:${self.ino}`;
  // A link to a folder above would be walked for ever.
  if (above.includes(identity)) return;
  const folders: string[] = [];
  let batch: Dirent[] = [];
  for await (const entry of await opendir(walked.path, { bufferSize: 256 })) {
    if (!walked.accepts(entry.name)) continue;
    if (entry.isDirectory()) folders.push(entry.name);
    else if (entry.isFile() || entry.isSymbolicLink()) batch.push(entry);
    if (batch.length < statBatch) continue;
    yield* found(walked, batch, folders);
    batch = [];
  }
  yield* found(walked, batch, folders);
  for (const folder of folders) {
    try {
      yield* walk({ ...walked, path: join(walked.path, folder), prefix: `${walked.prefix}${folder}/` }, [
        ...above,
        identity,
      ]);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }
}

/** The files of a batch; folders behind symbolic links are added to `folders`. */
async function* found(walked: Walk, batch: readonly Dirent[], folders: string[]): AsyncGenerator<FoundFile> {
  const all = await Promise.all(
    batch.map(async (entry) => ({
      name: entry.name,
      isLink: entry.isSymbolicLink(),
      stats: await statOf(join(walked.path, entry.name), walked.skipsDangling ?? false),
    })),
  );
  for (const { name, isLink, stats } of all) {
    if (stats?.isDirectory() === true) {
      if (!isLink || !(await leadsBack(join(walked.path, name), walked.root))) folders.push(name);
    } else if (stats?.isFile() === true)
      yield { name: walked.prefix + name, path: join(walked.path, name), stats };
  }
}

/**
 * Whether a link leads to a folder around the storage or within it: what is there has a name already, and a repair that
 * finds it under a second one would move it away from the first.
 */
async function leadsBack(link: string, root: string): Promise<boolean> {
  const [target, own] = await Promise.all([realpath(link), realpath(root)]);
  return isWithin(target, own) || isWithin(own, target);
}

function isWithin(path: string, folder: string): boolean {
  return `${path}/`.startsWith(folder === "/" ? "/" : `${folder}/`);
}

/** Empty folders, and what is neither file, folder nor link. What vanishes meanwhile is left out. */
export async function* oddities(
  path: string,
  prefix: string,
  accepts: (segment: string) => boolean,
): AsyncGenerator<string> {
  for await (const entry of await opendir(path, { bufferSize: 256 })) {
    if (!accepts(entry.name) || entry.isFile() || entry.isSymbolicLink()) continue;
    const name = prefix + entry.name;
    if (!entry.isDirectory()) yield name;
    else if (await isEmptyFolder(join(path, entry.name))) yield name;
    else yield* oddities(join(path, entry.name), `${name}/`, accepts);
  }
}

async function isEmptyFolder(path: string): Promise<boolean> {
  try {
    for await (const _entry of await opendir(path)) return false;
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

async function statOf(path: string, skipsDangling: boolean): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  if (skipsDangling) return undefined;
  try {
    await lstat(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  throw new MemkeepError("STORAGE_FAILED", {
    tried: `look at ${path}`,
    happened: "it is a symbolic link to something that is not there",
    next: "Mount the disk that it points to, or remove the link.",
  });
}

/** True when there is nothing of that name: neither it nor, perhaps, the folders above. */
export function isAbsent(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "");
}
