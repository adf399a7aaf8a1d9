/** Looks at a database file from outside, before SQLite does: SQLite would create a missing file, or delete a WAL. */
import { constants } from "node:fs";
import { access, lstat, open, realpath, stat, statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { MemkeepError, reasonOf } from "../../domain/errors.ts";
import { errnoOf } from "../../util/fs/durable.ts";
import { notADatabaseHint } from "./failure.ts";
import { closeWithoutLosingLocks } from "./held-locks.ts";

/** The files that belong to a database: SQLite finds them by these names (sqlite.org/tempfiles.html). */
export const companionSuffixes = ["-wal", "-shm", "-journal"] as const;

export interface DatabaseFile {
  /** Absolute, symbolic links followed: SQLite puts its other files beside this one. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly device: bigint;
  readonly inode: bigint;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** Bytes of `-wal`; undefined when there is none. */
  readonly walBytes: number | undefined;
  readonly hasSharedMemory: boolean;
  readonly journalBytes: number | undefined;
  /** From the file's header; undefined for an empty file. */
  readonly isWal: boolean | undefined;
}

/** Where a path leads, links followed, also when nothing is there (yet). */
export async function resolvePath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw accessError(error, path);
    return resolve(path);
  }
}

/** `STORE_MISSING`, `STORE_DENIED`, `STORE_UNREADABLE`, `STORE_DAMAGED` in words. Creates nothing. */
export async function examine(configuredPath: string): Promise<DatabaseFile> {
  const tried = `open the SQLite database ${configuredPath}`;
  let path: string;
  try {
    path = await realpath(configuredPath);
  } catch (error) {
    throw await missing(error, configuredPath, tried);
  }
  const found = await stat(path, { bigint: true });
  if (!found.isFile()) {
    const what = found.isDirectory() ? "a directory" : "no regular file";
    throw new MemkeepError("STORE_UNREADABLE", {
      tried,
      happened: `it is ${what}`,
      next: "Name the database file itself, such as ./data/memory.db.",
    });
  }
  const header = await readHeader(path, tried);
  const [walBytes, sharedMemoryBytes, journalBytes] = await Promise.all(
    companionSuffixes.map((suffix) => sizeOf(path + suffix)),
  );
  if (found.size === 0n && (walBytes ?? 0) > 0) {
    throw new MemkeepError("STORE_DAMAGED", {
      tried,
      happened: `the file is empty, but ${path}-wal holds ${walBytes} bytes, which SQLite deletes as soon as a program opens the database`,
      next: "Start no program on it. Copy the -wal file away, then restore a snapshot with `memkeep restore`.",
    });
  }
  return {
    path,
    sizeBytes: Number(found.size),
    device: found.dev,
    inode: found.ino,
    mode: Number(found.mode) & 0o7777,
    uid: Number(found.uid),
    gid: Number(found.gid),
    mtimeNs: found.mtimeNs,
    ctimeNs: found.ctimeNs,
    walBytes,
    hasSharedMemory: sharedMemoryBytes !== undefined,
    journalBytes,
    isWal: header === undefined ? undefined : header[18] === 2 || header[19] === 2,
  };
}

/** The header's 100 bytes; undefined for an empty file, which is a database without tables. */
async function readHeader(path: string, tried: string): Promise<Buffer | undefined> {
  const header = Buffer.alloc(100);
  let bytesRead: number;
  try {
    const handle = await open(path, "r");
    try {
      ({ bytesRead } = await handle.read(header, 0, header.length, 0));
    } finally {
      await closeWithoutLosingLocks(handle);
    }
  } catch (error) {
    throw accessError(error, path);
  }
  if (bytesRead === 0) return undefined;
  if (bytesRead === header.length && header.toString("latin1", 0, 16) === "SQLite format 3\0") return header;
  throw new MemkeepError("STORE_UNREADABLE", {
    tried,
    happened: "the file does not begin as a SQLite database does",
    next: notADatabaseHint,
  });
}

async function missing(error: unknown, path: string, tried: string): Promise<unknown> {
  if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") return accessError(error, path);
  const isLink = await lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
  return new MemkeepError("STORE_MISSING", {
    tried,
    happened: isLink ? "it is a symbolic link to a file that does not exist" : "there is no such file",
    next: "Check the path and the mount. memkeep never creates a database; `memkeep restore` brings one back.",
    cause: error,
  });
}

export function accessError(error: unknown, path: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  if (errno !== "EACCES" && errno !== "EPERM") {
    return new MemkeepError("STORE_UNREADABLE", {
      tried: `open the SQLite database ${path}`,
      happened: errno === "ELOOP" ? "its symbolic links lead in a circle" : reasonOf(error),
      next: "Check the path, and the disk that it is on.",
      cause: error,
    });
  }
  return new MemkeepError("STORE_DENIED", {
    tried: `open the SQLite database ${path}`,
    happened: "this user may not read it",
    next: "Run memkeep as the user that owns the database, or give that user read permission on the file and its folders.",
    cause: error,
  });
}

/** Bytes of a file, or undefined when it is not there. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

export type FolderAccess = "writable" | "denied" | "read-only-medium";

/** Whether files can be made beside the database: a WAL database needs that unless its `-shm` is there already. */
export async function folderAccess(path: string): Promise<FolderAccess> {
  try {
    await access(dirname(path), constants.W_OK);
    return "writable";
  } catch (error) {
    return errnoOf(error) === "EROFS" ? "read-only-medium" : "denied";
  }
}

/** Magic numbers of statfs(2) for file systems whose files other machines change as well. */
const networkTypes = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x01021997, "9p"],
  [0x00c36400, "Ceph"],
  [0x5346414f, "AFS"],
]);

/** The name of the network file system that holds a path; undefined for a local one. */
export async function networkFileSystem(path: string): Promise<string | undefined> {
  return networkTypes.get((await statfs(path)).type >>> 0);
}
