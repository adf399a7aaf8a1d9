/** Finds SQLite files below a folder, by their first bytes. */
import { open, opendir, stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { nameFrom } from "../../domain/name.ts";
import { sizeText } from "../../domain/words.ts";
import { type FoundStore, literal } from "./found.ts";

/** A home folder has a million files; a memory lies near its application. */
const deepest = 4;
const mostEntries = 20_000;
const mostFound = 20;
const longestMs = 2_000;
/** Hidden folders, and those that programs fill with what they can make again. */
const skipped = /^\.|^(node_modules|__pycache__|venv|site-packages|target|dist|build)$/;
const header = Buffer.from("SQLite format 3\0");

/**
 * The nearest first. Ends after a while, whatever the folder holds, and follows no links. Folders that cannot be read are passed
 * over, and so are restic's repositories and the copies that lie beside a restored file.
 *
 * @param skip whole paths of folders that are not looked into.
 */
export async function findSqliteFiles(folder: string, skip: readonly string[] = []): Promise<FoundStore[]> {
  const found: FoundStore[] = [];
  const until = performance.now() + longestMs;
  let entries = 0;
  let level = [folder];
  for (let depth = 0; depth <= deepest && level.length > 0; depth++) {
    const next: string[] = [];
    for (const at of level) {
      const { files, folders } = await listed(at);
      entries += files.length + folders.length;
      if (entries > mostEntries || performance.now() > until) return found;
      for (const path of files) {
        const sizeBytes = await sqliteSize(path);
        if (sizeBytes !== undefined) found.push(storeOf(path, folder, sizeBytes));
        if (found.length === mostFound) return found;
      }
      next.push(...folders.filter((path) => !skip.includes(path)));
    }
    level = next;
  }
  return found;
}

async function listed(folder: string): Promise<{ files: string[]; folders: string[] }> {
  const files: string[] = [];
  const folders: string[] = [];
  const names = new Set<string>();
  try {
    for await (const entry of await opendir(folder)) {
      names.add(entry.name);
      if (entry.isDirectory() && !skipped.test(entry.name)) folders.push(join(folder, entry.name));
      else if (entry.isFile() && isCandidate(entry.name)) files.push(join(folder, entry.name));
      if (names.size > mostEntries) break;
    }
  } catch {
    // A folder that may not be read holds nothing that could be backed up.
    return { files: [], folders: [] };
  }
  const repository = ["config", "data", "keys", "snapshots"].every((name) => names.has(name));
  return repository ? { files: [], folders: [] } : { files: files.sort(), folders: folders.sort() };
}

/** SQLite's own files beside a database, and old databases that a restore put aside, are not looked at. */
function isCandidate(name: string): boolean {
  return !name.startsWith(".") && !/-(wal|shm|journal)$|\.memkeep-/.test(name);
}

async function sqliteSize(path: string): Promise<number | undefined> {
  try {
    const { size } = await stat(path);
    if (size < 512) return undefined;
    await using file = await open(path, "r");
    const { buffer } = await file.read(Buffer.alloc(header.length), 0, header.length, 0);
    return buffer.equals(header) ? size : undefined;
  } catch {
    return undefined;
  }
}

function storeOf(path: string, folder: string, sizeBytes: number): FoundStore {
  const shown = `.${path.slice(folder === "/" ? 0 : folder.length)}`;
  return {
    name: nameFrom(basename(path, extname(path))) ?? "memory",
    kind: "sqlite",
    entry: { path: literal(shown) },
    where: `${shown}, ${sizeText(sizeBytes)}`,
    address: path,
    guessed: [],
    lacking: undefined,
  };
}
