/**
 * Names of temporary files. They tell who writes them, so that a later run removes those of dead writers and leaves
 * those of live ones alone: `<entry>-tmp-<machine>-<pid>-<process>-<n>`.
 */
import { hash, randomBytes } from "node:crypto";
import { readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { isAlive } from "../../util/process/alive.ts";
import { temporaryMark } from "../name.ts";

const pattern = /-tmp-(?<machine>[0-9a-f]{8})-(?<pid>\d{1,10})-(?<process>[0-9a-f]{8})-\d+$/;
const abandonedAfterMs = 24 * 60 * 60 * 1000;

/** Tells this process from an earlier one with the same pid: in a container, every one has pid 1. */
const thisProcess = randomBytes(4).toString("hex");
const thisMachine = hash("sha256", `${hostname()}\n${pidNamespace()}`, "hex").slice(0, 8);
let count = 0;

/** A name that no other temporary file has, in the same folder as `entryPath`. */
export function temporaryPath(entryPath: string): string {
  return `${entryPath}${temporaryMark}${thisMachine}-${process.pid}-${thisProcess}-${count++}`;
}

/** True for the name of a temporary file of this program, without its folder. */
export function isTemporaryName(fileName: string): boolean {
  return pattern.test(fileName);
}

/** True for a temporary file of ours whose writer is dead, or that nobody has touched for a day. */
export function isAbandoned(fileName: string, modifiedMs: number, nowMs: number): boolean {
  const writer = pattern.exec(fileName)?.groups;
  if (writer === undefined) return false;
  // The only sign there is when the writer is on another machine, or its pid has been given to another program.
  if (nowMs - modifiedMs > abandonedAfterMs) return true;
  if (writer["machine"] !== thisMachine) return false;
  const pid = Number(writer["pid"]);
  return pid === process.pid ? writer["process"] !== thisProcess : !isAlive(pid);
}

/** A pid means something only within its namespace: two containers may share a host name and a repository. */
function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    // No such namespaces outside Linux: the host name is enough.
    return "";
  }
}
