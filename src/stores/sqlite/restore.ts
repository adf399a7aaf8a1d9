/** Restores a dump: the file beside its place, checked and compared there, then switched in. */
import { createHash } from "node:crypto";
import { chmod, chown, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MemkeepError } from "../../domain/errors.ts";
import type { CollectionFacts, DumpFile } from "../../domain/manifest.ts";
import { errnoOf, makeFolder, needingRoom, syncFile, syncFolder, writeAll } from "../../util/fs/durable.ts";
import type {
  DumpSource,
  Restoration,
  RestoreOptions,
  RestorePlan,
  StoreContext,
  SwitchOutcome,
} from "../store.ts";
import { openStill } from "./client.ts";
import type { SqliteConfig } from "./config.ts";
import { checkCopy, digestCopy } from "./dump.ts";
import { programsUsing } from "./open-files.ts";
import type { Reader } from "./reader.ts";
import {
  type Obstacle,
  type RestoreSource,
  basisOf,
  destinationOf,
  nameInStore,
  obstaclesTo,
  restoreSource,
} from "./restore-plan.ts";
import { type StepHook, finishSwitch, switchIn, switchNames, undoSwitch } from "./switch.ts";

/** See `Store.stage`. */
export async function stageRestore(
  plan: RestorePlan,
  source: DumpSource,
  options: RestoreOptions,
  config: SqliteConfig,
  context: StoreContext,
): Promise<Restoration> {
  const wanted = restoreSource(source);
  const destination = await destinationOf(options.target, wanted, config, context);
  if (destination !== plan.destination || (await basisOf(destination, wanted, options)) !== plan.basis) {
    throw stalePlan(destination);
  }
  refuse(destination, await obstaclesTo(destination, wanted, options, config), options.force);
  await makeFolder(dirname(destination));
  const place = new Place(destination, wanted, options, context);
  try {
    await place.write(source);
    return place;
  } catch (error) {
    await place[Symbol.asyncDispose]();
    throw error;
  }
}

function refuse(destination: string, obstacles: readonly Obstacle[], force: boolean): void {
  const inTheWay = obstacles.find(({ overridable }) => !overridable || !force);
  if (!inTheWay) return;
  throw new MemkeepError(inTheWay.code, {
    tried: `restore to ${destination}`,
    happened: inTheWay.text,
    ...(inTheWay.overridable ? { next: "Stop it, or add --force to go on all the same." } : {}),
  });
}

function stalePlan(destination: string): MemkeepError {
  return new MemkeepError("PLAN_STALE", {
    tried: `restore to ${destination}`,
    happened: "the database has changed since the plan was made",
    next: "Look at a new plan: run the command again.",
  });
}

class Place implements Restoration {
  readonly comparable = "before-switch";
  readonly #destination: string;
  readonly #source: RestoreSource;
  readonly #options: RestoreOptions;
  readonly #context: StoreContext;
  /** Where the file lies until it is switched in. */
  readonly #staged: string;
  #state: "staged" | "switching" | "switched" | "ended" = "staged";
  #reader: Reader | undefined;
  readonly #step: StepHook = () => undefined;

  constructor(destination: string, source: RestoreSource, options: RestoreOptions, context: StoreContext) {
    this.#destination = destination;
    this.#source = source;
    this.#options = options;
    this.#context = context;
    this.#staged = switchNames(destination).staged;
  }

  async write(source: DumpSource): Promise<void> {
    const { observer, name } = this.#context;
    observer.step(name, `writing ${this.#staged}`);
    for (const file of this.#source.all) await this.#writeFile(source, file);
    await this.#takeOwnership();
    await syncFolder(dirname(this.#destination));
    if (this.#source.isRaw) return;
    observer.step(name, "checking the restored database");
    this.#reader = openStill(this.#staged);
    await checkCopy(this.#reader, this.#destination);
  }

  async facts(): Promise<readonly CollectionFacts[]> {
    // The reader has the staged file itself open, by whatever name it goes now.
    return this.#reader ? (await digestCopy(this.#reader)).collections : [];
  }

  async switch(): Promise<SwitchOutcome> {
    const warnings: string[] = [];
    const names = switchNames(this.#destination);
    if (this.#options.target.kind === "in-place") {
      const { programs } = await programsUsing(this.#destination);
      for (const { pid, name } of programs) {
        const text = `process ${pid} (${name}) still has the replaced file open: restart it, what it writes is lost`;
        if (!this.#options.force) throw inUse(this.#destination, pid, name);
        warnings.push(text);
      }
    }
    const hadOld = await exists(this.#destination);
    this.#state = "switching";
    await switchIn(names, this.#options.force, this.#step);
    this.#state = "switched";
    for (const file of this.#source.all) await this.#renameCompanion(file);
    if (!hadOld) return { warnings };
    return {
      previous: { location: names.previous, undo: undoCommand(names.database, names.previous) },
      warnings,
    };
  }

  async rollBack(): Promise<void> {
    if (this.#state === "switching" || this.#state === "switched") {
      await undoSwitch(switchNames(this.#destination), this.#step);
    }
    this.#state = "ended";
  }

  async keep(): Promise<void> {
    await finishSwitch(switchNames(this.#destination));
    this.#state = "ended";
  }

  /** A switch that was neither kept nor rolled back stays recoverable: the next plan finishes or undoes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader?.[Symbol.asyncDispose]();
    if (this.#options.target.kind === "scratch") {
      await rm(dirname(this.#destination), { recursive: true, force: true });
    } else if (this.#state !== "switching") {
      for (const file of this.#source.all) await rm(this.#stagedName(file), { force: true });
    }
  }

  #stagedName(file: DumpFile): string {
    return this.#staged + nameInStore(file.path).slice(this.#source.name.length);
  }

  async #writeFile(source: DumpSource, file: DumpFile): Promise<void> {
    const { observer, name, signal } = this.#context;
    const path = this.#stagedName(file);
    await rm(path, { force: true });
    const sha256 = createHash("sha256");
    let written = 0;
    await using handle = await open(path, "wx", 0o600);
    for await (const chunk of source.read(nameInStore(file.path))) {
      signal.throwIfAborted();
      sha256.update(chunk);
      await needingRoom(path, writeAll(handle, [chunk]));
      written += chunk.length;
      observer.progress(name, written, file.sizeBytes, "bytes");
    }
    if (written !== file.sizeBytes || sha256.digest("hex") !== file.sha256) {
      throw new MemkeepError("COMPARE_FAILED", {
        tried: `write ${path}`,
        happened: `what the repository gave is not the file that the manifest names (${written} of ${file.sizeBytes} bytes)`,
        next: "Run `memkeep verify --level stored` on this snapshot.",
      });
    }
    await syncFile(handle);
  }

  /** The application must be able to use the new file as it used the old one. */
  async #takeOwnership(): Promise<void> {
    if (this.#options.target.kind !== "in-place") return;
    const model = await stat(this.#destination).catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    });
    const owner = model ?? (await stat(dirname(this.#destination)));
    const mine = await stat(this.#staged);
    if (owner.uid !== mine.uid || owner.gid !== mine.gid) {
      await chown(this.#staged, owner.uid, owner.gid).catch((error: unknown) => {
        if (errnoOf(error) !== "EPERM") throw error;
        this.#context.observer.warn(
          this.#context.name,
          `the restored file belongs to this user, not to user ${owner.uid} group ${owner.gid} as before: only root can give it away`,
        );
      });
    }
    if (model) await chmod(this.#staged, model.mode & 0o7777);
  }

  /** Files beside a raw copy take their names after the database has taken its own. */
  async #renameCompanion(file: DumpFile): Promise<void> {
    if (file === this.#source.file) return;
    const suffix = nameInStore(file.path).slice(this.#source.name.length);
    await rename(this.#stagedName(file), this.#destination + suffix);
    await syncFolder(dirname(this.#destination));
  }
}

function inUse(destination: string, pid: number, name: string): MemkeepError {
  return new MemkeepError("TARGET_IN_USE", {
    tried: `replace ${destination}`,
    happened: `process ${pid} (${name}) has opened it meanwhile`,
    next: "Stop it, or add --force to go on all the same.",
  });
}

/** For a POSIX shell; programs must not have the database open. */
function undoCommand(database: string, previous: string): string {
  const beside = ["-wal", "-shm", "-journal"].map((suffix) => shellQuote(database + suffix)).join(" ");
  return `rm -f ${beside} && mv -f ${shellQuote(previous)}/* ${shellQuote(dirname(database))}/`;
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** The dump's file in the spool folder, held against its SHA-256 and checked by SQLite. Dispose removes it. */
export interface DumpCopy extends AsyncDisposable {
  readonly path: string;
  /** Counts and digests, from the file. */
  facts(): Promise<readonly CollectionFacts[]>;
}

/** `name`: of a folder in the spool folder that nothing else uses. */
export async function copyOfDump(source: DumpSource, context: StoreContext, name: string): Promise<DumpCopy> {
  const wanted = restoreSource(source);
  const options: RestoreOptions = { target: { kind: "scratch" }, force: false };
  const destination = join(context.spoolFolder, name, wanted.name);
  await makeFolder(dirname(destination));
  const place = new Place(destination, wanted, options, context);
  try {
    await place.write(source);
  } catch (error) {
    await place[Symbol.asyncDispose]();
    throw error;
  }
  return {
    path: switchNames(destination).staged,
    facts: () => place.facts(),
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  };
}

/** `verify --level decoded`: the file alone, opened and checked in the spool folder. */
export async function decodeDump(
  source: DumpSource,
  context: StoreContext,
): Promise<readonly CollectionFacts[]> {
  await using copy = await copyOfDump(source, context, "decode");
  return await copy.facts();
}
