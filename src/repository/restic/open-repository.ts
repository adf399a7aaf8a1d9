/** Makes and opens repositories in the restic format. */
import { hostname, userInfo } from "node:os";
import { MemkeepError, isMemkeepError } from "../../domain/errors.ts";
import type { Storage } from "../../storages/storage.ts";
import type { Clock } from "../../util/clock/clock.ts";
import { goTime } from "./tree/go-json.ts";
import type { CacheSpace } from "./cache/cache-space.ts";
import {
  newConfig,
  readConfig,
  type RepositoryConfig,
  substituteConfig,
  writeConfig,
} from "./config-file.ts";
import { buildKeyFile, openKeyFile } from "./crypto/key-file.ts";
import { generateMasterKey, type MasterKey } from "./crypto/master-key.ts";
import { createSealer, type Sealer } from "./crypto/seal.ts";
import type { Here } from "./lock/lock-file.ts";
import { listKeys } from "./keys/key-ring.ts";
import type { KeyInfo } from "../repository.ts";
import { Objects } from "./objects/objects.ts";
import type { ResticRepository } from "./restic-repository.ts";
import { beganAfterUs, isAlive } from "../../util/process/alive.ts";

export interface RepositoryAccess {
  readonly storage: Storage;
  readonly password: string;
  readonly clock: Clock;
  /** `memkeep 0.1.0`, as it stands in snapshots. */
  readonly program: string;
  readonly retryLockMs: number;
  readonly signal: AbortSignal;
  /** Where all repositories keep small files on this machine. */
  readonly cache?: CacheSpace;
}

const keyName = /^keys\/[0-9a-f]{64}$/;
/** A clock that is put right by less than this makes no live process look younger than its lock. */
const clockMayMoveMs = 10_000;
/** restic tries that many keys. */
const keysTried = 20;

/**
 * Makes a repository: the key file first, then the config, as restic does, so that a crash in between leaves something that
 * the next `init` refuses with words rather than half a repository. `REPOSITORY_EXISTS` when there is one.
 *
 * @param polynomial that of another repository, so that both cut files in the same places.
 */
export async function createRepository(
  access: RepositoryAccess,
  polynomial?: string,
): Promise<ResticRepository> {
  const { storage, password, clock } = access;
  await refuseExisting(storage);
  const key = generateMasterKey();
  const file = await buildKeyFile(key, password, {
    created: goTime(clock.now()),
    username: userInfo().username,
    hostname: hostname(),
  });
  await storage.write(`keys/${file.name}`, [file.bytes]);
  const config = newConfig(polynomial);
  await writeConfig(storage, createSealer(key), config);
  return connect(access, { key, id: file.name }, config);
}

/**
 * `REPOSITORY_MISSING`, `PASSWORD_WRONG`, `REPOSITORY_VERSION` or `REPOSITORY_DAMAGED` in words. A repository whose config alone is
 * lost opens all the same: what it holds can be read with the key. It takes no backup before it was repaired.
 */
export async function openRepository(access: RepositoryAccess): Promise<ResticRepository> {
  const { storage } = access;
  if (!(await storage.stat("config")) && !(await hasKeys(storage))) {
    throw new MemkeepError("REPOSITORY_MISSING", {
      tried: `open the repository at ${storage.location}`,
      happened: "there is none (it has no file `config`)",
      next: "Check the path, or make one with `memkeep init`.",
    });
  }
  // A password is stretched for a third of a second, on a thread of its own: meanwhile the rest of the program is loaded.
  const loading = import("./restic-repository.ts");
  let foreign: string | undefined;
  for await (const found of openedKeys(access)) {
    await loading;
    const sealer = createSealer(found.key);
    try {
      return await connect(access, found, await readConfig(storage, sealer));
    } catch (error) {
      if (!isMemkeepError(error, "REPOSITORY_DAMAGED", "STORAGE_MISSING")) throw error;
      if (await opensAnything(storage, sealer))
        return connect(access, found, substituteConfig(found.key), error);
      foreign = found.id;
    }
  }
  throw new MemkeepError("REPOSITORY_DAMAGED", {
    tried: `open the repository at ${storage.location}`,
    happened: `the password opens keys/${foreign?.slice(0, 8)}, but that key opens neither the config nor any snapshot or index file: it is another repository's, or all of them are damaged`,
    next: "Bring the folder `keys` (and `config`) back from another copy of the repository. Nothing was changed.",
  });
}

/** How many files are tried before a key is held for another repository's: single ones may be damaged. */
const filesTried = 5;

/** Whether the key fits what is stored. True also where nothing is stored yet. */
async function opensAnything(storage: Storage, sealer: Sealer): Promise<boolean> {
  const objects = new Objects(storage, sealer);
  let seen = false;
  for (const folder of ["snapshots", "index"] as const) {
    let tried = 0;
    for await (const { id } of objects.list(folder)) {
      if (tried++ === filesTried) break;
      seen = true;
      try {
        await objects.load(folder, id);
        return true;
      } catch (error) {
        if (!isMemkeepError(error, "REPOSITORY_DAMAGED")) throw error;
      }
    }
  }
  return !seen;
}

async function hasKeys(storage: Storage): Promise<boolean> {
  for await (const { name } of storage.list("keys/")) if (keyName.test(name)) return true;
  return false;
}

interface FoundKey {
  readonly key: MasterKey;
  /** Of the key file. */
  readonly id: string;
}

async function connect(
  access: RepositoryAccess,
  { key, id }: FoundKey,
  config: RepositoryConfig,
  configProblem?: MemkeepError,
): Promise<ResticRepository> {
  const { ResticRepository } = await import("./restic-repository.ts");
  return new ResticRepository({
    ...access,
    key,
    keyId: id,
    config,
    ...(configProblem && { configProblem }),
    owner: {
      hostname: hostname(),
      username: userInfo().username,
      pid: process.pid,
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
    },
    here: () => thisMachine(access.clock),
  });
}

async function refuseExisting(storage: Storage): Promise<void> {
  let found = (await storage.stat("config")) !== undefined;
  for (const folder of ["keys/", "snapshots/"]) {
    for await (const _entry of storage.list(folder)) found = true;
  }
  if (!found) return;
  throw new MemkeepError("REPOSITORY_EXISTS", {
    tried: `make a repository at ${storage.location}`,
    happened: "there is one already",
    next: "Use it as it is, or give another place.",
  });
}

/** All keys that the password opens; rejects when there is none. */
async function* openedKeys({ storage, password }: RepositoryAccess): AsyncGenerator<FoundKey> {
  const problems: unknown[] = [];
  let tried = 0;
  let opened = 0;
  for await (const { name } of storage.list("keys/")) {
    if (!keyName.test(name) || tried++ === keysTried) continue;
    try {
      const key = await openKeyFile(await storage.read(name), password);
      opened++;
      yield { key, id: name.slice("keys/".length) };
    } catch (error) {
      if (!isMemkeepError(error, "PASSWORD_WRONG")) problems.push(error);
    }
  }
  if (opened > 0) return;
  if (problems.length > 0) throw unusableKeys(storage, problems, tried);
  if (tried === 0) {
    throw new MemkeepError("REPOSITORY_DAMAGED", {
      tried: `open the repository at ${storage.location}`,
      happened: "it has no key files",
      next: "Bring the folder `keys` back from another copy of the repository.",
    });
  }
  throw new MemkeepError("PASSWORD_WRONG", {
    tried: `open the repository at ${storage.location}`,
    happened:
      tried === 1
        ? "the password does not open its only key"
        : `the password opens none of its ${tried} keys`,
    next: "Check MEMKEEP_PASSWORD, MEMKEEP_PASSWORD_FILE or the configuration.",
    details: { keys: (await listKeys(storage, "")).map(keyText) },
  });
}

/** Whoever looks for a password remembers where and when it was made. */
function keyText({ id, created, username, hostname: host, recovery }: KeyInfo): string {
  const who = recovery ? "a recovery key" : `${username} at ${host}`;
  return `key ${id.slice(0, 8)}: made by ${who} on ${created.slice(0, 10)}`;
}

/** An error of the storage is its own; a damaged key is told with what can be done. */
function unusableKeys(storage: Storage, problems: readonly unknown[], tried: number): unknown {
  const [first] = problems;
  if (!isMemkeepError(first, "REPOSITORY_DAMAGED")) return first;
  return new MemkeepError("REPOSITORY_DAMAGED", {
    tried: `open the repository at ${storage.location}`,
    happened:
      tried === 1
        ? `its only key file is damaged (${first.message})`
        : `${problems.length} of its ${tried} key files are damaged, and the password opens none of the others (${first.message})`,
    next: "Bring the folder `keys` back from another copy of the repository; without a key nobody can read it.",
    cause: first,
  });
}

function thisMachine(clock: Clock): Here {
  const startedMs = clock.now() - process.uptime() * 1000;
  return {
    nowMs: clock.now(),
    hostname: hostname(),
    pid: process.pid,
    startedMs,
    isAlive: (pid, seenMs) =>
      isAlive(pid) && startedMs + (beganAfterUs(pid) ?? -Infinity) <= seenMs + clockMayMoveMs,
  };
}
