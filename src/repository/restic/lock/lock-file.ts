/** Lock files as restic writes them, and the rules by which one is stale. Source: restic's design document, "Locks". */
import { z } from "zod";
import { goJson, goTime } from "../tree/go-json.ts";

export const LockFile = z.object({
  time: z.string(),
  exclusive: z.boolean().nullish(),
  hostname: z.string().nullish(),
  username: z.string().nullish(),
  pid: z.number().nullish(),
});
export type LockFile = z.infer<typeof LockFile>;

export interface LockOwner {
  readonly hostname: string;
  /** `memkeep:<stack>` for a backup, so that a second backup of one stack, from any machine, can back off. */
  readonly username: string;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** What a rule needs to know of this machine. */
export interface Here {
  readonly nowMs: number;
  readonly hostname: string;
  readonly pid: number;
  /** When this process started, milliseconds since 1970. */
  readonly startedMs: number;
  /** Whether the process that had this number at `seenMs` still runs. */
  isAlive(pid: number, seenMs: number): boolean;
}

/** restic refreshes locks every five minutes and holds one for stale after thirty. */
export const refreshEveryMs: number = 5 * 60_000;
export const staleAfterMs: number = 30 * 60_000;
/** A holder that could not refresh for this long must stop, or prove first that its lock is still there. */
export const distrustAfterMs: number = 22.5 * 60_000;

export function encodeLock(owner: LockOwner, exclusive: boolean, timeMs: number): string {
  return goJson({
    time: goTime(timeMs),
    exclusive,
    hostname: owner.hostname,
    username: owner.username,
    pid: owner.pid,
    uid: owner.uid,
    gid: owner.gid,
  });
}

/**
 * Stale: older than thirty minutes; or its process on this host is gone (another may have its number by now); or it bears our own pid on this host but is
 * older than our process, as after a restart in a container, where every main process is pid 1.
 */
export function isStale(lock: LockFile, here: Here): boolean {
  const timeMs = Date.parse(lock.time);
  if (Number.isNaN(timeMs)) return false;
  if (here.nowMs - timeMs > staleAfterMs) return true;
  if (lock.hostname !== here.hostname || !lock.pid) return false;
  if (lock.pid === here.pid) return timeMs < here.startedMs;
  return !here.isAlive(lock.pid, timeMs);
}
