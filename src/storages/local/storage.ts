import { constants } from "node:fs";
import { link, lstat, open, rename, rm, stat, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { MemkeepError } from "../../domain/errors.ts";
import { systemClock } from "../../util/clock/clock.ts";
import type { Clock } from "../../util/clock/clock.ts";
import { errnoOf, makeFolder, syncFile, syncFolder, writeAll } from "../../util/fs/durable.ts";
import { checkName, checkPrefix, isNameSegment } from "../name.ts";
import type { ByteRange, Storage, StorageEntry, StorageProperties } from "../storage.ts";
import { fileFailure } from "./errors.ts";
import { isAbsent, oddities, walk } from "./list.ts";
import { isAbandoned, isTemporaryName, temporaryPath } from "./temporary.ts";

/** A fifo that somebody put among the entries must not hold up the reader for ever. */
const readFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

export interface LocalOptions {
  readonly clock?: Clock;
  /** Gives a file a second name, and fails with EEXIST when that is taken. Replaced in tests only. */
  readonly link?: (from: string, to: string) => Promise<void>;
}

/** A folder. Entries are files of mode 0600 in folders of mode 0700. */
export class LocalStorage implements Storage {
  readonly location: string;
  // More than a few files at once make a disk slower, and Node has four threads for files.
  readonly properties: StorageProperties = { connections: 4, uploads: 1, consistentList: true };
  readonly #root: string;
  readonly #clock: Clock;
  readonly #link: (from: string, to: string) => Promise<void>;
  /** Folders whose own names this process knows to be durable. At most a few hundred. */
  readonly #durableFolders = new Set<string>();

  /** `path` is not looked at. */
  constructor(path: string, options: LocalOptions = {}) {
    this.location = resolve(path);
    this.#root = this.location;
    this.#clock = options.clock ?? systemClock;
    this.#link = options.link ?? link;
  }

  async *list(prefix: string): AsyncIterable<StorageEntry> {
    const path = join(this.#root, checkPrefix(prefix, this.location));
    try {
      for await (const file of walk({ root: this.#root, path, prefix, accepts: isNameSegment })) {
        yield { name: file.name, sizeBytes: file.stats.size };
      }
    } catch (error) {
      const tried = `list ${prefix || "all entries"} in ${this.location}`;
      if (!isAbsent(error)) throw fileFailure(error, tried);
      await this.#confirmRoot();
      // Not an empty folder: what it held is gone, and must not seem never to have been (law 3).
      if (errnoOf(error) === "ENOTDIR") throw noFolder(tried, error);
    }
  }

  async read(name: string, range?: ByteRange, into?: Uint8Array): Promise<Buffer> {
    const path = this.#path(name);
    const tried = `read ${name} in ${this.location}`;
    try {
      await using file = await open(path, readFlags);
      const offset = range?.offset ?? 0;
      const endsAt = (bytes: number): MemkeepError =>
        new MemkeepError("STORAGE_FAILED", {
          tried,
          happened: `it ends at byte ${bytes}, and ${range?.length ?? "all"} bytes from byte ${offset} on were asked for`,
        });
      let length = range?.length ?? 0;
      if (length === 0) {
        const { size } = await file.stat();
        if (offset > size) throw endsAt(size);
        if (range?.length === undefined) length = size - offset;
      }
      // Not from Node's shared pool, see the contract.
      const buffer =
        into && into.length >= length
          ? Buffer.from(into.buffer, into.byteOffset, length)
          : Buffer.from(new ArrayBuffer(length));
      for (let filled = 0; filled < length;) {
        const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled);
        if (bytesRead === 0) throw endsAt(offset + filled);
        filled += bytesRead;
      }
      return buffer;
    } catch (error) {
      if (errnoOf(error) !== "EISDIR" && !isAbsent(error)) throw fileFailure(error, tried);
      await this.#confirmRoot();
      throw new MemkeepError("STORAGE_MISSING", { tried, happened: "there is no such entry", cause: error });
    }
  }

  async write(name: string, parts: readonly Uint8Array[]): Promise<void> {
    const path = this.#path(name);
    try {
      try {
        await this.#write(path, parts);
      } catch (error) {
        if (errnoOf(error) !== "ENOENT" || !this.#durableFolders.delete(dirname(path))) throw error;
        // The folder was there when it was used last: somebody removed it since. It is made anew, once.
        await this.#write(path, parts);
      }
    } catch (error) {
      const tried = `write ${name} in ${this.location}`;
      if (errnoOf(error) === "EEXIST") {
        throw new MemkeepError("STORAGE_EXISTS", { tried, happened: "the name is taken", cause: error });
      }
      await this.#confirmRoot();
      throw fileFailure(error, tried);
    }
  }

  async remove(name: string): Promise<void> {
    const path = this.#path(name);
    try {
      await unlink(path);
      await syncFolder(dirname(path));
    } catch (error) {
      if (!isAbsent(error)) throw fileFailure(error, `remove ${name} from ${this.location}`);
      await this.#confirmRoot();
    }
  }

  async stat(name: string): Promise<{ sizeBytes: number } | undefined> {
    const path = this.#path(name);
    try {
      const stats = await stat(path);
      return stats.isFile() ? { sizeBytes: stats.size } : undefined;
    } catch (error) {
      if (!isAbsent(error)) throw fileFailure(error, `look for ${name} in ${this.location}`);
      await this.#confirmRoot();
      return undefined;
    }
  }

  async *oddities(): AsyncIterable<string> {
    try {
      yield* oddities(this.#root, "", isNameSegment);
    } catch (error) {
      if (isAbsent(error)) await this.#confirmRoot();
      else throw fileFailure(error, `list everything in ${this.location}`);
    }
  }

  async sweep(): Promise<number> {
    let removed = 0;
    try {
      for await (const { path, stats } of walk({
        root: this.#root,
        path: this.#root,
        prefix: "",
        accepts: isNameOrTemporary,
        skipsDangling: true,
      })) {
        if (!isAbandoned(basename(path), stats.mtimeMs, this.#clock.now())) continue;
        await rm(path, { force: true });
        removed++;
      }
    } catch (error) {
      throw fileFailure(error, `remove left-over temporary files in ${this.location}`);
    }
    return removed;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #path(name: string): string {
    return join(this.#root, checkName(name, this.location));
  }

  async #write(path: string, parts: readonly Uint8Array[]): Promise<void> {
    const folder = dirname(path);
    if (!this.#durableFolders.has(folder)) {
      // Only below the root: when a disk is unmounted, its mount point must not be filled in its place.
      try {
        await makeFolder(folder, this.#root);
      } catch (error) {
        // Not the entry's own name that is taken, as EEXIST would say to the caller.
        if (errnoOf(error) === "EEXIST") throw noFolder(`write ${basename(path)} in ${folder}`, error);
        throw error;
      }
      this.#durableFolders.add(folder);
    }
    const temporary = temporaryPath(path);
    try {
      await using file = await open(temporary, "wx", 0o600);
      await writeAll(file, parts);
      await syncFile(file);
    } catch (error) {
      await discard(temporary);
      throw error;
    }
    try {
      await this.#publish(temporary, path);
    } finally {
      await discard(temporary);
    }
    await syncFolder(folder);
  }

  /** Gives the complete file its name, unless that is taken. */
  async #publish(temporary: string, path: string): Promise<void> {
    try {
      await this.#link(temporary, path);
    } catch (error) {
      // NFS may lose the answer, ask again, and take its own success for a collision.
      if (errnoOf(error) === "EEXIST" && (await lstat(temporary)).nlink > 1) return;
      if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EACCES"].includes(errnoOf(error) ?? ""))
        throw error;
      // FAT, exFAT, some SMB and FUSE have no hard links. Between the look and the renaming another writer may take
      // the name; nearly all names are the digest of their bytes, so that it would be the same bytes.
      if (await isTaken(path))
        throw Object.assign(new Error(`${path} exists`, { cause: error }), { code: "EEXIST" });
      await rename(temporary, path);
    }
  }

  /** An unmounted disk must not look like an empty repository (law 3). */
  async #confirmRoot(): Promise<void> {
    await checkFolder(this.#root);
  }
}

function noFolder(tried: string, cause: unknown): MemkeepError {
  return new MemkeepError("STORAGE_FAILED", {
    tried,
    happened: "a file stands where there should be a folder",
    next: "Move the file away; bring the folder back from another copy if it held something.",
    details: { transient: false },
    cause,
  });
}

/** `STORAGE_MISSING` when there is no folder at `path`. */
export async function checkFolder(path: string): Promise<void> {
  const tried = `open the folder ${path}`;
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (error) {
    if (!isAbsent(error)) throw fileFailure(error, tried);
    throw new MemkeepError("STORAGE_MISSING", {
      tried,
      happened: "it does not exist",
      next: "Check the path; when it is on another disk, check that the disk is mounted.",
      cause: error,
    });
  }
  if (!isFolder) throw new MemkeepError("STORAGE_MISSING", { tried, happened: "it is a file, not a folder" });
}

/** A refusal is passed over: `sweep` comes back to it, and the reader needs to hear of what happened before. */
async function discard(temporary: string): Promise<void> {
  await rm(temporary, { force: true }).catch(() => undefined);
}

async function isTaken(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

function isNameOrTemporary(segment: string): boolean {
  return isNameSegment(segment) || isTemporaryName(segment);
}
