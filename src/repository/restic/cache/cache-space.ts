/**
 * The folder of all repositories' caches on this machine, and how large it may grow. Repositories share the limit: whoever uses
 * ten of them has one disk.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

export class CacheSpace {
  readonly folder: string;
  readonly #maximumBytes: number;
  /** Bytes in the folder, as far as this process knows; undefined before it has looked. */
  #bytes: number | undefined;
  /** Files are stored one after another: what is being written counts too. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(folder: string, maximumBytes: number) {
    this.folder = folder;
    this.#maximumBytes = maximumBytes;
  }

  /**
   * Writes a file, and makes room for it before: those that were not used for longest leave, of whatever repository. One that
   * is larger than all that may be kept is not written. Another process that stores meanwhile is seen at the next look.
   */
  store(path: string, bytes: Buffer): Promise<void> {
    const stored = this.#turn.then(() => this.#store(path, bytes));
    this.#turn = stored.catch(() => undefined);
    return stored;
  }

  async #store(path: string, bytes: Buffer): Promise<void> {
    if (bytes.length > this.#maximumBytes) return;
    if (this.#bytes === undefined || this.#bytes + bytes.length > this.#maximumBytes) {
      this.#bytes = await this.#shrinkTo(this.#maximumBytes - bytes.length);
    }
    this.#bytes += bytes.length;
    const temporary = `${path}-tmp-${randomBytes(6).toString("hex")}`;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(temporary, bytes, { mode: 0o600 });
    await rename(temporary, path);
  }

  /** Looks through the folder, and gives the bytes that stay. */
  async #shrinkTo(bytes: number): Promise<number> {
    const files: { readonly path: string; readonly bytes: number; readonly usedMs: number }[] = [];
    const entries =
      (await readdir(this.folder, { recursive: true, withFileTypes: true }).catch(absent)) ?? [];
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const found = await stat(path).catch(absent);
      if (found) files.push({ path, bytes: found.size, usedMs: found.mtimeMs });
    }
    let total = files.reduce((sum, file) => sum + file.bytes, 0);
    for (const file of files.sort((a, b) => a.usedMs - b.usedMs)) {
      if (total <= bytes) break;
      await rm(file.path, { force: true });
      total -= file.bytes;
    }
    return total;
  }
}

/** For `catch`: undefined for what is not there. */
export function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
  throw error;
}
