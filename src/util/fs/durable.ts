/** What it takes for a file or a folder to survive a power cut, once the call has returned. */
import { MemkeepError } from "../../domain/errors.ts";
import { mkdir, open, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

/** The `code` of a system error, such as `ENOENT`; undefined for any other thrown value. */
export function errnoOf(error: unknown): string | undefined {
  // Writing failed, then closing failed too: the first error is the reason.
  if (error instanceof SuppressedError) return errnoOf(error.suppressed);
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Some file systems (FUSE, SMB) have no way to sync and say so: nothing more can be done there. */
const unsupported = ["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

/** Makes a file's bytes durable. Any refusal but "I have no such operation" is an error. */
export async function syncFile(handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } catch (error) {
    if (!unsupported.includes(errnoOf(error) ?? "")) throw error;
  }
}

/**
 * Makes names that were created in, or removed from, a folder durable. A folder that may be entered but not read
 * (mode 0711, as `/home` often is) cannot be synced, nor any on Windows: both refuse to open it.
 */
export async function syncFolder(path: string): Promise<void> {
  try {
    await using handle = await open(path, "r");
    await syncFile(handle);
  } catch (error) {
    if (!["EACCES", "EPERM"].includes(errnoOf(error) ?? "")) throw error;
  }
}

/**
 * Creates a folder (mode 0700) and its missing parents, each durable. One that exists is made durable too, because
 * whoever created it may not have come so far. `stopAt` is a folder that must exist already: it is never created.
 */
export async function makeFolder(path: string, stopAt?: string): Promise<void> {
  if (path === stopAt) return;
  const parent = dirname(path);
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) === "EEXIST") {
      if (!(await stat(path)).isDirectory()) throw error;
    } else if (errnoOf(error) === "ENOENT" && parent !== path && parent !== stopAt) {
      await makeFolder(parent, stopAt);
      return makeFolder(path, stopAt);
    } else {
      throw error;
    }
  }
  await syncFolder(parent);
}

/** Writes all parts in order at the handle's position. The kernel may take less than it was given: it goes on from there. */
export async function writeAll(handle: FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  // The kernel takes at most IOV_MAX (1024) parts in one call.
  const batchParts = 1024;
  let pending: Uint8Array[] = [];
  for (let next = 0; next < parts.length || pending.length > 0;) {
    while (pending.length < batchParts && next < parts.length) {
      const part = parts[next++]!;
      if (part.byteLength > 0) pending.push(part);
    }
    if (pending.length === 0) return;
    const { bytesWritten } = await handle.writev(pending);
    pending = withoutFirst(pending, bytesWritten);
  }
}

function withoutFirst(parts: readonly Uint8Array[], byteCount: number): Uint8Array[] {
  let skip = byteCount;
  const rest: Uint8Array[] = [];
  for (const part of parts) {
    if (skip < part.byteLength) rest.push(skip === 0 ? part : part.subarray(skip));
    skip = Math.max(0, skip - part.byteLength);
  }
  return rest;
}

/** Rejects with `SPACE_LOW` in words when the writing failed for want of room; with any other error as it is. */
export async function needingRoom<T>(path: string, writing: Promise<T>): Promise<T> {
  try {
    return await writing;
  } catch (error) {
    if (!["ENOSPC", "EDQUOT"].includes(errnoOf(error) ?? "")) throw error;
    throw new MemkeepError("SPACE_LOW", {
      tried: `write ${path}`,
      happened: "there is no room left on that disk",
      next: "Make room there, remove what this run has written, or name a place on another disk; then run it again.",
      cause: error,
    });
  }
}
