import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

import { run } from "./command.ts";

/**
 * The folder that holds every installed engine, outside the checkout: `MEMKEEP_ENGINES`, else
 * `$XDG_CACHE_HOME/memkeep-engines`, else `~/.cache/memkeep-engines`.
 *
 * Root gets `/var/cache/memkeep-engines` in place of its home: PostgreSQL refuses to run as root, and the user
 * it runs as instead cannot enter `/root`.
 */
function engineCache(): string {
  const chosen = process.env["MEMKEEP_ENGINES"];
  if (chosen) return chosen;
  const xdg = process.env["XDG_CACHE_HOME"];
  if (xdg) return join(xdg, "memkeep-engines");
  if (process.getuid?.() === 0) return "/var/cache/memkeep-engines";
  return join(homedir(), ".cache", "memkeep-engines");
}

/**
 * The path of `<cache>/<name>`; on the first call `install` fills it. The name carries the version, so that a
 * new version is a new folder and nothing is ever changed in place.
 *
 * The folder appears whole or not at all: `install` works in a temporary folder beside it, which is renamed at the
 * end. When two processes install at once, both do the work, one rename wins and the other copy is removed. A killed
 * install leaves a folder whose name starts with a dot; it may be deleted. The content becomes readable to all.
 */
export async function installed(name: string, install: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(engineCache(), name);
  if (await exists(folder)) return folder;
  await mkdir(engineCache(), { recursive: true, mode: 0o755 });
  const unfinished = await mkdtemp(join(engineCache(), `.${name}-`));
  try {
    await install(unfinished);
    await run("chmod", ["-R", "a+rX", unfinished]);
    await rename(unfinished, folder);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Somebody else finished first: a rename onto a folder with content is refused, and that content is as good.
    if (isCode(error, "ENOTEMPTY") || isCode(error, "EEXIST")) return folder;
    throw error;
  }
  return folder;
}

/** Whether something exists at `path`; errors other than absence are thrown. */
export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isCode(error, "ENOENT") || isCode(error, "ENOTDIR")) return false;
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
