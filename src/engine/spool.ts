/**
 * The folder of one run for files that must exist for a while: mode 0700, removed on every way out. Folders that a
 * killed run left behind are removed by the next one on the same machine.
 */
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isAlive } from "../util/process/alive.ts";

const prefix = "memkeep-spool-";

export interface Spool extends AsyncDisposable {
  readonly folder: string;
}

/** Makes a folder below `root` (which is made when it is missing). */
export async function openSpool(root: string): Promise<Spool> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  await removeLeftOvers(root);
  const folder = await mkdtemp(join(root, `${prefix}${process.pid}-`));
  return {
    folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function removeLeftOvers(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || Number(pid) === process.pid || isAlive(Number(pid))) continue;
    await rm(join(root, name), { recursive: true, force: true });
  }
}
