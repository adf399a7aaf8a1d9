import { readFileSync } from "node:fs";

/** Whether a process of this machine runs. Signal 0 asks without disturbing; one of another user answers EPERM, and lives. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** USER_HZ: 100 on every Linux that Node runs on. */
const tickMs = 10;

/**
 * How long after this process another one began, milliseconds; negative when it was before. Undefined where the system does
 * not tell. Measured from ourselves, since a container may hide when its machine was booted.
 */
export function beganAfterUs(pid: number): number | undefined {
  try {
    return (startTick(pid) - startTick(process.pid)) * tickMs;
  } catch {
    // No /proc, or one that shows nothing of other users' processes.
    return undefined;
  }
}

/** Field 22 of proc_pid_stat(5). The program's name before it may hold blanks and parentheses. */
function startTick(pid: number): number {
  const line = readFileSync(`/proc/${pid}/stat`, "latin1");
  return Number(line.slice(line.lastIndexOf(")") + 2).split(" ")[19]);
}
