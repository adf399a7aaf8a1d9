/** Makes the engine's stack of a configuration. Passwords are found, and repositories opened, when first asked for. */
import { resolve } from "node:path";
import type { Observer } from "../domain/observer.ts";
import { isMemkeepError, MemkeepError } from "../domain/errors.ts";
import { refuseNewerDump } from "../engine/manifest.ts";
import type { Stack, StackRepository, StackStore } from "../engine/stack.ts";
import type { Repository } from "../repository/repository.ts";
import { CacheSpace } from "../repository/restic/cache/cache-space.ts";
import { StallLimitedStorage } from "../storages/decorators/stall-limit.ts";
import { storeKinds } from "../stores/index.ts";
import type { StoreContext, StoreKind } from "../stores/store.ts";
import type { Clock } from "../util/clock/clock.ts";
import type { Configuration, ConfiguredRepository, ConfiguredStore } from "./configuration.ts";
import { passwordWeakness } from "./password-strength.ts";
import { findPassword, type FoundPassword, type PasswordAccess } from "./password.ts";
import { openSecrets } from "./seal.ts";

export interface OpeningAccess extends PasswordAccess {
  readonly clock: Clock;
  /** `memkeep 0.1.0`. */
  readonly program: string;
  /** Of a flag; the configuration's when undefined. */
  readonly retryLockMs: number | undefined;
  /** Where small files of repositories far away are kept on this machine; how many, the configuration says. */
  readonly cacheFolder?: string;
}

/** Loads the adaptors of the stores in use, and nothing of others. Reaches nothing yet. */
export async function openStack(configuration: Configuration, access: OpeningAccess): Promise<Stack> {
  return {
    name: configuration.stack ?? "memkeep",
    stores: await Promise.all(configuration.stores.map(stackStore)),
    repositories: stackRepositories(configuration, access),
    configuration: configuration.masked,
    async decode(kind, source, context) {
      const adaptor = await adaptorOf(kind, context.name);
      refuseNewerDump(context.name, source, adaptor.dumpVersion);
      return adaptor.decode(source, context);
    },
    async plainSql(kind, source, context) {
      const adaptor = await adaptorOf(kind, context.name);
      refuseNewerDump(context.name, source, adaptor.dumpVersion);
      if (adaptor.plainSql) return adaptor.plainSql(source, context);
      throw new MemkeepError("USAGE", {
        tried: `export ${context.name} as SQL`,
        happened: `a ${kind} store has no such form: it is for PostgreSQL`,
        next: "Export its dump files: give a folder, and leave --format out.",
      });
    },
    async beginSnapshot(repositories, options) {
      const { beginSnapshot } = await import("../repository/restic/begin-snapshot.ts");
      const { ResticRepository } = await import("../repository/restic/restic-repository.ts");
      function asRestic(repository: Repository): InstanceType<typeof ResticRepository> {
        if (repository instanceof ResticRepository) return repository;
        throw new Error(`${repository.location} is of a kind that begins its own snapshots`);
      }
      return beginSnapshot(repositories.map(asRestic), options);
    },
  };
}

/** The repositories alone, for what needs no store. */
export function stackRepositories(configuration: Configuration, access: OpeningAccess): StackRepository[] {
  const { cacheFolder } = access;
  const { cacheBytes } = configuration;
  // One for all of them: they share the limit.
  const cache =
    cacheFolder !== undefined && cacheBytes > 0 ? new CacheSpace(cacheFolder, cacheBytes) : undefined;
  return configuration.repositories.map((repository) => ({
    name: repository.name,
    localPath: localPathOf(repository),
    open: (options) => openConfigured(repository, access, cache, options?.stallLimitMs),
    inspect: () => repository.place.inspect(),
  }));
}

async function adaptorOf(
  kind: string,
  name: string,
): Promise<Pick<StoreKind<never>, "decode" | "plainSql" | "dumpVersion">> {
  const registration = Object.values(storeKinds).find((known) => known.kind === kind);
  if (registration) return registration.adaptor();
  throw new MemkeepError("STORE_UNSUPPORTED", {
    tried: `read the dump of ${name}`,
    happened: `this memkeep does not know stores of the kind ${JSON.stringify(kind)}`,
    next: "Use a newer memkeep.",
  });
}

async function stackStore({ name, kind, optional, config }: ConfiguredStore): Promise<StackStore> {
  const registration = Object.values(storeKinds).find((known) => known.kind === kind)!;
  const adaptor = await registration.adaptor();
  return {
    name,
    kind,
    optional,
    dumpVersion: adaptor.dumpVersion,
    connect: (context: StoreContext) =>
      // What the adaptor's own schema gave is what its `connect` takes; only the registry's type cannot say so.
      (
        adaptor as { connect(config: unknown, context: StoreContext): ReturnType<typeof adaptor.connect> }
      ).connect(openSecrets(config), context),
  };
}

function localPathOf({ place }: ConfiguredRepository): string | undefined {
  if (place.kind !== "local") return undefined;
  const { path } = place.config as { path: string };
  return resolve(path);
}

async function openConfigured(
  repository: ConfiguredRepository,
  access: OpeningAccess,
  cache: CacheSpace | undefined,
  stallLimitMs: number | undefined,
): Promise<Repository> {
  const opened = await openPlace(repository);
  const storage =
    stallLimitMs === undefined
      ? opened
      : new StallLimitedStorage(opened, { limitMs: stallLimitMs, clock: access.clock });
  try {
    const password = await findPassword(repository, access);
    const { openRepository } = await import("../repository/restic/open-repository.ts");
    return await openRepository({
      storage,
      password: password.secret.reveal(),
      clock: access.clock,
      program: access.program,
      retryLockMs: access.retryLockMs ?? repository.retryLockMs,
      signal: access.signal,
      // A folder here is as near as a cache of it would be.
      ...(cache && repository.place.kind !== "local" ? { cache } : {}),
    }).catch((error: unknown) => {
      throw withOrigin(error, password);
    });
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/** A folder that is not there is a repository that is not there: the exit code says so. */
async function openPlace({ name, place }: ConfiguredRepository): ReturnType<typeof place.open> {
  try {
    return await place.open();
  } catch (error) {
    if (!isMemkeepError(error, "STORAGE_MISSING")) throw error;
    throw new MemkeepError("REPOSITORY_MISSING", {
      tried: `open the repository ${name}`,
      happened: error.message.replace(/^could not /, "cannot "),
      next: "Check the path, or make one with `memkeep init`.",
      cause: error,
    });
  }
}

/** Which of the ways the wrong password came is what the reader must know to mend it. */
function withOrigin(error: unknown, { origin }: FoundPassword): unknown {
  if (!isMemkeepError(error, "PASSWORD_WRONG")) return error;
  return new MemkeepError("PASSWORD_WRONG", {
    tried: error.message.replace(/^could not /, "").replace(/: .*$/s, ""),
    happened: `${error.message.replace(/^.*?: /s, "")}; it came from ${origin}`,
    ...(error.next === undefined
      ? {}
      : { next: `Check ${origin}, and that the repository is the one you mean.` }),
    ...(error.details === undefined ? {} : { details: error.details }),
    cause: error,
  });
}

/**
 * Whether a repository is at its place already. Asked before its password is: only a new one is typed twice. Writes
 * nothing; a place that cannot be looked at rejects as `StoragePlace.open` does.
 */
export async function isMade({ place }: ConfiguredRepository): Promise<boolean> {
  let storage;
  try {
    storage = await place.open();
  } catch (error) {
    if (isMemkeepError(error, "STORAGE_MISSING")) return false;
    throw error;
  }
  try {
    if ((await storage.stat("config")) !== undefined) return true;
    for (const folder of ["keys/", "snapshots/"]) {
      for await (const _entry of storage.list(folder)) return true;
    }
    return false;
  } finally {
    await storage.close();
  }
}

/** Makes a repository where there is none. `REPOSITORY_EXISTS` when there is one. Returns what was made, open. A weak password is told. It cuts files as `like` does. */
export async function createConfigured(
  repository: ConfiguredRepository,
  access: OpeningAccess,
  observer: Pick<Observer, "warn">,
  like?: Repository,
): Promise<Repository> {
  const password = await findPassword(repository, access);
  const weakness = passwordWeakness(password.secret.reveal());
  if (weakness !== undefined)
    observer.warn(repository.name, `the password (from ${password.origin}) ${weakness}`);
  const storage = await repository.place.create();
  try {
    const { createRepository } = await import("../repository/restic/open-repository.ts");
    const { ResticRepository } = await import("../repository/restic/restic-repository.ts");
    const parts = {
      storage,
      password: password.secret.reveal(),
      clock: access.clock,
      program: access.program,
      retryLockMs: access.retryLockMs ?? repository.retryLockMs,
      signal: access.signal,
    };
    return await createRepository(
      parts,
      like instanceof ResticRepository ? like.config.polynomial : undefined,
    );
  } catch (error) {
    await storage.close();
    throw error;
  }
}
