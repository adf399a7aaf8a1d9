/**
 * A repository in a temporary folder, and processes that open it: each `process()` is one of its own, with its own pid, so that
 * what a killed one leaves behind (its lock, above all) looks to the next as it would in life.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import type { SnapshotInfo, SnapshotReader } from "../../src/repository/repository.ts";
import { beginSnapshot } from "../../src/repository/restic/begin-snapshot.ts";
import { createRepository, openRepository } from "../../src/repository/restic/open-repository.ts";
import { ResticRepository } from "../../src/repository/restic/restic-repository.ts";
import { local } from "../../src/storages/local/index.ts";
import { LocalStorage } from "../../src/storages/local/storage.ts";
import type { Storage } from "../../src/storages/storage.ts";
import type { Clock } from "../../src/util/clock/clock.ts";
import { isAlive } from "../../src/util/process/alive.ts";
import { ManualClock } from "../../src/util/clock/manual-clock.ts";

export const password = "correct horse";
const program = "memkeep 0.1.0";

/** No system gives its processes such numbers. */
const noRealPid = 3_000_000_000;

/** Files of one snapshot by path. */
export type Content = Readonly<Record<string, Uint8Array>>;

export class World implements AsyncDisposable {
  readonly folder: string;
  readonly clock: Clock;
  readonly #first: ResticRepository;
  readonly #opened: ResticRepository[] = [];
  #pid = noRealPid;

  constructor(folder: string, clock: Clock, first: ResticRepository) {
    this.folder = folder;
    this.clock = clock;
    this.#first = first;
  }

  get path(): string {
    return join(this.folder, "repository");
  }

  /** The repository as a new process sees it; every earlier one is dead. `wrap` puts a decorator around its storage. */
  process(wrap: (storage: Storage) => Storage = (storage) => storage): ResticRepository {
    const pid = ++this.#pid;
    const repository = new ResticRepository({
      storage: wrap(new LocalStorage(this.path)),
      key: this.#first.key,
      keyId: this.#first.keyId,
      config: this.#first.config,
      clock: this.clock,
      owner: { hostname: hostname(), username: "test", pid, uid: 0, gid: 0 },
      here: () => ({
        nowMs: this.clock.now(),
        hostname: hostname(),
        pid,
        startedMs: this.clock.now(),
        isAlive: (other) => other === pid || (other < noRealPid && isAlive(other)),
      }),
      program,
      retryLockMs: 0,
      signal: new AbortController().signal,
    });
    this.#opened.push(repository);
    return repository;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const repository of [this.#first, ...this.#opened]) await repository.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/**
 * A world with an empty repository. Its clock does not wait when it is told to sleep. `init` makes the repository at the
 * path in memkeep's place; its password must be `password`. `polynomial`: that of another repository.
 */
export async function makeWorld(
  clock: Clock = new ManualClock({ skipSleeps: true }),
  init?: (path: string) => Promise<unknown>,
  polynomial?: string,
): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "memkeep-world-"));
  const path = join(folder, "repository");
  const signal = new AbortController().signal;
  const access = { storage: await local.create({ path }), password, clock, program, retryLockMs: 0, signal };
  await init?.(path);
  return new World(
    folder,
    clock,
    init ? await openRepository(access) : await createRepository(access, polynomial),
  );
}

export interface BackupOptions {
  readonly stack?: string;
  readonly timeMs?: number;
  readonly safety?: string;
  readonly tags?: readonly string[];
}

/** Backs the files up as one snapshot. Rejects when it could not be made. */
export async function backup(
  repository: ResticRepository,
  content: Content,
  options: BackupOptions = {},
): Promise<SnapshotInfo> {
  const writer = await beginSnapshot([repository], {
    stack: options.stack ?? "stack",
    run: "test",
    tags: options.tags ?? [],
    ...(options.safety === undefined ? {} : { safety: options.safety }),
  });
  try {
    for (const [path, bytes] of Object.entries(content)) await writer.save(path, "records", pieces(bytes));
    const [outcome] = await writer.commit(options.timeMs ?? repository.clock.now(), []);
    if (!outcome!.ok) throw outcome!.error;
    return outcome!.snapshot;
  } finally {
    await writer.abandon();
  }
}

/** All files of a snapshot, each read whole. */
export async function restore(reader: SnapshotReader): Promise<Record<string, Buffer>> {
  const files: Record<string, Buffer> = {};
  for (const { path } of await reader.files()) {
    const parts: Buffer[] = [];
    for await (const part of reader.read(path)) parts.push(Buffer.from(part));
    files[path] = Buffer.concat(parts);
  }
  return files;
}

/** As a dump arrives: in pieces of no particular size. */
export async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 50_001) yield bytes.subarray(at, at + 50_001);
}
