/** Folders of this machine that memkeep works in, from the environment. */
import { homedir } from "node:os";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where copies lie while a run needs them: MEMKEEP_SPOOL, or TMPDIR where it is set, or the user's cache folder: on a disk
 * rather than in memory, as `/tmp` often is, and in nobody else's reach.
 */
export function spoolRoot(environment: Environment): string {
  const { MEMKEEP_SPOOL: own, TMPDIR: temporary } = environment;
  if (own !== undefined && own !== "") return own;
  if (temporary !== undefined && temporary !== "")
    return join(temporary, `memkeep-${process.getuid?.() ?? 0}`);
  return join(cacheRoot(environment), "spool");
}

/** What may be deleted at any time: `$XDG_CACHE_HOME/memkeep` or `~/.cache/memkeep`. */
export function cacheRoot(environment: Environment): string {
  const { XDG_CACHE_HOME: cache } = environment;
  return join(cache !== undefined && cache !== "" ? cache : join(homedir(), ".cache"), "memkeep");
}
