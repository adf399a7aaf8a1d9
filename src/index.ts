/**
 * memkeep for programs: the same engine that the command line calls. What a function gives is what the command prints with
 * `--json` (docs/json.md). Whatever is foreseen to go wrong is a `MemkeepError` with a stable `code`.
 */
import { hostname } from "node:os";
import type { Configuration } from "./config/configuration.ts";
import { cacheRoot, spoolRoot } from "./util/fs/folders.ts";
import { loadConfiguration } from "./config/load.ts";
import { type OpeningAccess, openStack as openConfiguredStack } from "./config/open-stack.ts";
import { MemkeepError } from "./domain/errors.ts";
import { parseInstant } from "./domain/instant.ts";
import { type Observer, silentObserver } from "./domain/observer.ts";
import { backupCycle, type CycleReport } from "./engine/backup/cycle.ts";
import { exportSnapshot, type ExportReport } from "./engine/export/run.ts";
import type { RestoreReport, StackRestorePlan } from "./engine/restore/report.ts";
import { applyRestore, planRestore as planStackRestore } from "./engine/restore/run.ts";
import { selectSnapshot } from "./engine/select-snapshot.ts";
import type { Stack, Surroundings } from "./engine/stack.ts";
import type { VerifyReport } from "./engine/verify/report.ts";
import { verify as verifyStack } from "./engine/verify/run.ts";
import type { Repository, SnapshotInfo, VerifyLevel } from "./repository/repository.ts";
import type { RestoreOptions, RestoreTarget } from "./stores/store.ts";
import { systemClock } from "./util/clock/clock.ts";
import { Redactor } from "./util/redact/redactor.ts";
import { readVersion } from "./util/version/version.ts";

export { ExitCode, MemkeepError, isMemkeepError, type ErrorCode } from "./domain/errors.ts";
export type { Observer } from "./domain/observer.ts";
export type { CycleReport, ExportReport, RestoreReport, SnapshotInfo, StackRestorePlan, VerifyReport };

export interface OpenOptions {
  /** The configuration file. When absent it is looked for where the command line looks. */
  readonly file?: string;
  /** Names of stores of the file, or paths and URLs of others (`memory=./a.db`); all of the file when absent. */
  readonly stores?: readonly string[];
  /** The name of a repository of the file, or a path or URL; all of the file when absent. */
  readonly repository?: string;
  readonly stack?: string;
  /** In place of `process.env`: passwords, `${…}` in the file, and the variables of docs/configuration.md. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Asked for a repository's password when neither variables nor the file have it. */
  readonly password?: (repository: string) => Promise<string>;
  /** Told of steps, progress and warnings. */
  readonly observer?: Observer;
  /** Its abort ends what is under way: the operation rejects, earlier snapshots are whole, and the next run needs no help. */
  readonly signal?: AbortSignal;
}

/** A stack that operations work on. It holds no connection: each operation opens what it needs and closes it. */
export interface OpenStack {
  readonly configuration: Configuration;
  readonly stack: Stack;
  readonly surroundings: Surroundings;
}

/** Reads the configuration and loads the adaptors in use; reaches no store and no repository. `CONFIG_INVALID`, `USAGE`. */
export async function openStack(options: OpenOptions = {}): Promise<OpenStack> {
  const environment = options.environment ?? process.env;
  const signal = options.signal ?? new AbortController().signal;
  const redactor = new Redactor();
  const program = `memkeep ${readVersion()}`;
  const { configuration, chosenStores } = await loadConfiguration({
    file: options.file,
    stores: options.stores ?? [],
    repository: options.repository,
    stack: options.stack,
    cacheSize: undefined,
    environment,
    signal,
    redactor,
  });
  const { password } = options;
  const access: OpeningAccess = {
    clock: systemClock,
    program,
    signal,
    environment,
    redactor,
    retryLockMs: undefined,
    ask: password && (({ name }) => password(name)),
    cacheFolder: `${cacheRoot(environment)}/repositories`,
  };
  const stack = await openConfiguredStack(configuration, access);
  const chosen = chosenStores ? stack.stores.filter(({ name }) => chosenStores.includes(name)) : stack.stores;
  return {
    configuration,
    stack: { ...stack, stores: chosen },
    surroundings: {
      clock: systemClock,
      observer: options.observer ?? silentObserver,
      signal,
      spoolRoot: spoolRoot(environment),
      program,
      hostname: hostname(),
    },
  };
}

/**
 * One snapshot of all stores into every repository; then what `backup.verify` and `backup.keep` of the configuration ask
 * for. Rejects when no snapshot came to be; `outcome` is `partial` when a part failed.
 */
export async function backup(
  { configuration, stack, surroundings }: OpenStack,
  options: {
    readonly force?: boolean;
    readonly tags?: readonly string[];
    readonly allowEmpty?: boolean;
  } = {},
): Promise<CycleReport> {
  const { to, ...settings } = configuration.backup;
  const repositories = to ? stack.repositories.filter(({ name }) => to.includes(name)) : stack.repositories;
  const result = await backupCycle(
    { ...stack, repositories },
    {
      ...settings,
      force: options.force ?? false,
      tags: [...settings.tags, ...(options.tags ?? [])],
      allowEmpty: options.allowEmpty ?? false,
      dryRun: false,
    },
    surroundings,
  );
  if (result.kind === "ran") return result.report;
  throw new Error("a backup that is no dry run has a report");
}

/** Which snapshot is meant, and in which repository; the newest of the stack in the first repository when left out. */
export interface SnapshotChoice {
  /** `latest`, `latest:STACK`, or the beginning of an id. */
  readonly snapshot?: string;
  /** With `latest`: the newest at or before, such as `2026-11-20 02:00`. */
  readonly at?: string;
  /** The name of a repository. */
  readonly repository?: string;
}

/** All snapshots of a repository, newest first; safety snapshots among them. */
export function snapshots(open: OpenStack, repository?: string): Promise<readonly SnapshotInfo[]> {
  return withRepository(open, repository, (opened) => opened.snapshots());
}

/** Proves a snapshot and records the proof in its repository. What is wrong is told in the report (`ok: false`). */
export function verify(
  open: OpenStack,
  choice: SnapshotChoice & { readonly level?: VerifyLevel } = {},
): Promise<VerifyReport> {
  return withSnapshot(open, choice, (repository, snapshot) =>
    verifyStack(open.stack, repository, { level: choice.level ?? "decoded", snapshot }, open.surroundings),
  );
}

export interface RestoreChoice extends SnapshotChoice {
  /** Names of stores; all of the snapshot when absent. */
  readonly stores?: readonly string[];
  /** In place when absent. */
  readonly target?: RestoreTarget;
  /** Although a program has the store open. */
  readonly force?: boolean;
}

/** What `restore` would do. Changes nothing. */
export function planRestore(open: OpenStack, choice: RestoreChoice = {}): Promise<StackRestorePlan> {
  return withSnapshot(open, choice, async (repository, info) => {
    const snapshot = await repository.open(info.id);
    return planStackRestore(open.stack, repository, engineChoice(snapshot, choice), open.surroundings);
  });
}

/**
 * Brings stores back: a safety snapshot of what is there, staged beside it, compared with the manifest, then switched.
 * Rejects with everything as it was before.
 */
export function restore(open: OpenStack, choice: RestoreChoice = {}): Promise<RestoreReport> {
  return withSnapshot(open, choice, async (repository, info) => {
    const snapshot = await repository.open(info.id);
    return applyRestore(open.stack, repository, engineChoice(snapshot, choice), open.surroundings);
  });
}

/** Writes a snapshot's dump files into a folder that is empty or not there, with `SHA256SUMS`. */
export function exportFiles(
  open: OpenStack,
  folder: string,
  choice: SnapshotChoice & { readonly stores?: readonly string[] } = {},
): Promise<ExportReport> {
  return withSnapshot(open, choice, async (repository, info) => {
    await using _guard = await repository.guard();
    return exportSnapshot(await repository.open(info.id), folder, choice.stores, open.surroundings);
  });
}

function engineChoice(
  snapshot: Awaited<ReturnType<Repository["open"]>>,
  { stores, target, force }: RestoreChoice,
): { snapshot: typeof snapshot; stores: readonly string[] | undefined; options: RestoreOptions } {
  return { snapshot, stores, options: { target: target ?? { kind: "in-place" }, force: force ?? false } };
}

async function withRepository<T>(
  { stack }: OpenStack,
  name: string | undefined,
  use: (repository: Repository) => Promise<T>,
): Promise<T> {
  const found =
    name === undefined ? stack.repositories[0] : stack.repositories.find((one) => one.name === name);
  if (!found) {
    const known = stack.repositories.map((one) => one.name).join(", ");
    throw new MemkeepError("USAGE", {
      tried: "find the repository",
      happened: name === undefined ? "none was named" : `there is none called ${name}; known: ${known}`,
    });
  }
  const repository = await found.open();
  try {
    return await use(repository);
  } finally {
    await repository.close();
  }
}

function withSnapshot<T>(
  open: OpenStack,
  choice: SnapshotChoice,
  use: (repository: Repository, snapshot: SnapshotInfo) => Promise<T>,
): Promise<T> {
  const atMs = choice.at === undefined ? undefined : parseInstant(choice.at);
  if (choice.at !== undefined && atMs === undefined) {
    throw new MemkeepError("USAGE", { tried: "understand `at`", happened: `${choice.at} is no time` });
  }
  return withRepository(open, choice.repository, async (repository) => {
    const all = await repository.snapshots();
    const { stack } = open.configuration;
    return use(repository, selectSnapshot(all, { text: choice.snapshot ?? "latest", stack, atMs }));
  });
}
