/** Which programs have a database open. A restore under a running program is lost work at best. */
import { readFile, readdir, stat } from "node:fs/promises";
import { errnoOf } from "../../util/fs/durable.ts";
import { companionSuffixes } from "./database-file.ts";

export interface OpenFiles {
  readonly programs: readonly { readonly pid: number; readonly name: string }[];
  /** False where not every process could be looked into: no /proc, or processes of other users. */
  readonly complete: boolean;
}

/**
 * Looks through `/proc/<pid>/fd` for the database's files. Compares device and inode, so that neither links nor other
 * mounts (containers) hide anything. This process is left out.
 */
export async function programsUsing(databasePath: string): Promise<OpenFiles> {
  const wanted = new Set<string>();
  for (const path of [databasePath, ...companionSuffixes.map((suffix) => databasePath + suffix)]) {
    const id = await identity(path);
    if (id) wanted.add(id);
  }
  let entries: string[];
  try {
    entries = await readdir("/proc");
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    return { programs: [], complete: false };
  }
  const programs: { pid: number; name: string }[] = [];
  let complete = entries.includes("self");
  for (const entry of entries) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const answer = await hasOpen(pid, wanted);
    if (answer === undefined) complete = false;
    else if (answer) programs.push({ pid, name: await programName(pid) });
  }
  return { programs, complete };
}

/** Undefined when this process may not be looked into. */
async function hasOpen(pid: number, wanted: ReadonlySet<string>): Promise<boolean | undefined> {
  let handles: string[];
  try {
    handles = await readdir(`/proc/${pid}/fd`);
  } catch (error) {
    if (isGone(error)) return false;
    if (errnoOf(error) === "EACCES" || errnoOf(error) === "EPERM") return undefined;
    throw error;
  }
  for (const handle of handles) {
    const id = await identity(`/proc/${pid}/fd/${handle}`);
    if (id && wanted.has(id)) return true;
  }
  return false;
}

/** `/proc` files follow to the open file itself, also one that has been unlinked. */
async function identity(path: string): Promise<string | undefined> {
  try {
    const found = await stat(path, { bigint: true });
    return found.isFile() ? `${found.dev}:${found.ino}` : undefined;
  } catch (error) {
    if (isGone(error) || errnoOf(error) === "EACCES" || errnoOf(error) === "EPERM") return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return ["ENOENT", "ESRCH", "ENXIO", "ENOTDIR"].includes(errnoOf(error) ?? "");
}

async function programName(pid: number): Promise<string> {
  try {
    return (await readFile(`/proc/${pid}/comm`, "utf8")).trim();
  } catch (error) {
    if (isGone(error)) return "ended meanwhile";
    throw error;
  }
}
