/** Names one execution of an operation: the time, so that a list of runs sorts, and chance, so that two never meet. */
import { randomBytes } from "node:crypto";

/** `20261121T020000Z-1f3a9c`. */
export function newRunId(nowMs: number): string {
  const stamp = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "");
  return `${stamp}-${randomBytes(3).toString("hex")}`;
}
