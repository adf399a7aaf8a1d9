/** Opens a database beside a running application: works, or says why not and what to do. */
import { MemkeepError } from "../../domain/errors.ts";
import type { StoreContext } from "../store.ts";
import type { SqliteConfig } from "./config.ts";
import { type DatabaseFile, examine, folderAccess, networkFileSystem } from "./database-file.ts";
import { storeError } from "./failure.ts";
import { holdLocks } from "./held-locks.ts";
import type { OpenMode, Pinned } from "./reader-jobs.ts";
import { Reader } from "./reader.ts";

/** Of a connection that only copies or counts; SQLite's own default. */
const liveCacheKiB = 2000;
/** Of a connection that checks: a larger one makes no check of a database beyond it faster (seen with 16 MB, 300 MB of data). */
const checkCacheKiB = 4000;

export interface LiveDatabase extends AsyncDisposable {
  readonly file: DatabaseFile;
  readonly reader: Reader;
  readonly mode: OpenMode;
  readonly pinned: Pinned;
}

/** Opens the live database and pins it: from here on the reader sees one instant. */
export async function openLive(config: SqliteConfig, context: StoreContext): Promise<LiveDatabase> {
  const file = await examine(config.path);
  const mode = await chooseMode(file, config);
  if (file.isWal) await refuseToLeaveFiles(file, mode);
  const locks = holdLocks(`${file.device}:${file.inode}`);
  const reader = new Reader({
    path: file.path,
    mode,
    busyTimeoutMs: config.busyTimeout,
    cacheKiB: liveCacheKiB,
  });
  async function close(): Promise<void> {
    await reader[Symbol.asyncDispose]();
    await locks[Symbol.asyncDispose]();
  }
  try {
    context.signal.throwIfAborted();
    const pinned = await reader.ask("pin");
    return { file, reader, mode, pinned, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw storeError(error, file.path, `read the SQLite database ${config.path}`);
  }
}

/** A file that nobody writes to: a spool copy, a staged restore. Nothing is created beside it. */
export function openStill(path: string): Reader {
  return new Reader({ path, mode: "still", busyTimeoutMs: 0, cacheKiB: checkCacheKiB });
}

async function chooseMode(file: DatabaseFile, config: SqliteConfig): Promise<OpenMode> {
  const network = await networkFileSystem(file.path);
  if (network !== undefined && file.isWal && !config.allowNetworkFileSystem) {
    throw new MemkeepError("STORE_UNSUPPORTED", {
      tried: `open the SQLite database ${file.path}`,
      happened: `it is in WAL mode on a network file system (${network}), where programs on other machines are not seen`,
      next: "Run memkeep on the machine that runs the application. If that is this one, set `allowNetworkFileSystem: true`.",
    });
  }
  // Without a WAL there is nothing to read but the file, and on a read-only medium SQLite could not make its -shm.
  const idle = (file.walBytes ?? 0) === 0 && (file.journalBytes ?? 0) === 0;
  if (file.isWal && idle && (await folderAccess(file.path)) === "read-only-medium") return "still";
  return "live";
}

/**
 * Reading an idle WAL database makes `-wal` and `-shm` beside it, and a read-only connection leaves them there. If they
 * belong to another user than the database does, its application can no longer write: that must not happen.
 */
async function refuseToLeaveFiles(file: DatabaseFile, mode: OpenMode): Promise<void> {
  const uid = process.geteuid?.();
  if (mode === "still" || file.hasSharedMemory || uid === undefined || uid === 0 || uid === file.uid) return;
  if ((file.mode & 0o002) !== 0 || (await folderAccess(file.path)) !== "writable") return;
  if ((file.mode & 0o020) !== 0 && process.getegid?.() === file.gid) return;
  throw new MemkeepError("STORE_DENIED", {
    tried: `open the SQLite database ${file.path}`,
    happened:
      "it is in WAL mode, not in use, and belongs to another user: reading it would leave a -shm file behind that its application cannot write",
    next: `Run memkeep as the user with the id ${file.uid}, as root, or while the application runs.`,
  });
}

/**
 * For a file read without locks: proves afterwards that nobody changed it meanwhile (a read-only mount may be writable
 * for somebody else). `STORE_CHANGED` otherwise.
 */
export async function proveUnchanged(file: DatabaseFile): Promise<void> {
  const now = await examine(file.path);
  const same =
    now.inode === file.inode &&
    now.sizeBytes === file.sizeBytes &&
    now.mtimeNs === file.mtimeNs &&
    now.ctimeNs === file.ctimeNs &&
    (now.walBytes ?? 0) === 0;
  if (same) return;
  throw new MemkeepError("STORE_CHANGED", {
    tried: `copy ${file.path} from a read-only file system`,
    happened: "somebody wrote to it meanwhile, so it is only read-only from here",
    next: "Run memkeep where the file's folder can be written, beside the application.",
  });
}
