/**
 * A cache of index and snapshot files in a folder of this machine, so that a repository far away opens without fetching them
 * again. The files are kept as they are in the repository: sealed, and named by their SHA-256, which is checked at every
 * read. Which files exist, the repository alone says. Check, prune and repair look past the cache.
 */
import { hash } from "node:crypto";
import { readdir, readFile, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { PassThroughStorage } from "../../../storages/decorators/pass-through.ts";
import type { ByteRange, Storage, StorageEntry } from "../../../storages/storage.ts";
import { absent, type CacheSpace } from "./cache-space.ts";

const cachedName = /^(index|snapshots)\/([0-9a-f]{64})$/;

export class ObjectCache extends PassThroughStorage {
  readonly #space: CacheSpace;
  /** Of this repository alone; made when it is missing. */
  readonly #folder: string;
  /** Set at the first trouble with the folder: a cache is never worth failing for, nor trying again. */
  #off = false;

  /** @param repository its id, hex: the name of its folder. */
  constructor(inner: Storage, space: CacheSpace, repository: string) {
    super(inner);
    this.#space = space;
    this.#folder = join(space.folder, repository);
  }

  /** Drops what the repository no longer has. */
  override async *list(prefix: string): AsyncIterable<StorageEntry> {
    const there = new Set<string>();
    const kind = /^(index|snapshots)\/$/.exec(prefix)?.[1];
    for await (const entry of this.inner.list(prefix)) {
      if (kind !== undefined) there.add(entry.name);
      yield entry;
    }
    if (kind !== undefined) await this.#attempt(() => this.#keepOnly(kind, there));
  }

  override async read(name: string, range?: ByteRange, into?: Uint8Array): Promise<Buffer> {
    const id = cachedName.exec(name)?.[2];
    if (id === undefined || range) return this.inner.read(name, range, into);
    const kept = await this.#attempt(() => this.#load(name, id));
    if (kept) return kept;
    const bytes = await this.inner.read(name);
    if (hash("sha256", bytes) === id) await this.#attempt(() => this.#space.store(this.#path(name), bytes));
    return bytes;
  }

  /** Undefined when it is not there, or is not what its name says. */
  async #load(name: string, id: string): Promise<Buffer | undefined> {
    const path = this.#path(name);
    const bytes = await readFile(path).catch(absent);
    if (!bytes || hash("sha256", bytes) !== id) return undefined;
    // The time of the last use decides who has to leave.
    const now = new Date();
    await utimes(path, now, now);
    return bytes;
  }

  async #keepOnly(kind: string, there: ReadonlySet<string>): Promise<void> {
    for (const name of (await readdir(this.#path(kind)).catch(absent)) ?? []) {
      if (!there.has(`${kind}/${name}`)) await rm(join(this.#path(kind), name), { force: true });
    }
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#off) return undefined;
    try {
      return await work();
    } catch {
      this.#off = true;
      return undefined;
    }
  }
}
