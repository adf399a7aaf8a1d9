/** What a restore would do. Nothing is changed to find out, except that a killed restore's leftovers are put right first. */
import { sizeText } from "../../domain/words.ts";
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { type ErrorCode, MemkeepError, reasonOf } from "../../domain/errors.ts";
import type { DumpFile } from "../../domain/manifest.ts";
import { errnoOf } from "../../util/fs/durable.ts";
import type { DumpSource, RestoreOptions, RestorePlan, RestoreTarget, StoreContext } from "../store.ts";
import { openLive } from "./client.ts";
import type { SqliteConfig } from "./config.ts";
import { companionSuffixes, resolvePath, sizeOf } from "./database-file.ts";
import { type OpenFiles, programsUsing } from "./open-files.ts";
import { lacks, roomAt } from "./space.ts";
import { type SwitchNames, recoverSwitch, switchNames } from "./switch.ts";

export interface RestoreSource {
  /** The database's file of the dump, by its name within the store's folder. */
  readonly name: string;
  readonly file: DumpFile;
  /** Files of a raw safety copy: the database's own and those beside it. */
  readonly all: readonly DumpFile[];
  readonly isRaw: boolean;
}

function isDatabase({ path }: DumpFile): boolean {
  return path.endsWith(".db");
}

/** Finds the database in the dump. A name out of a manifest is data: it must be a plain file name (law 12). */
export function restoreSource(source: DumpSource): RestoreSource {
  const { files, settings } = source.manifest;
  const file = files.find(isDatabase);
  const isPlain = files.every(
    ({ path }) => /^[A-Za-z0-9._-]+$/.test(nameInStore(path)) && !path.includes(".."),
  );
  if (!file || !isPlain || files.filter(isDatabase).length !== 1) {
    throw new MemkeepError("MANIFEST_INVALID", {
      tried: "find the SQLite database in the snapshot",
      happened: "the manifest does not name exactly one `.db` file in the store's folder",
    });
  }
  return { name: nameInStore(file.path), file, all: files, isRaw: settings["raw"] === true };
}

export function nameInStore(path: string): string {
  return path.slice(path.indexOf("/") + 1);
}

/** The file that the restore makes, all links followed. */
export async function destinationOf(
  target: RestoreTarget,
  source: RestoreSource,
  config: SqliteConfig,
  context: StoreContext,
): Promise<string> {
  switch (target.kind) {
    case "in-place":
      return resolvePath(config.path);
    case "scratch":
      return join(context.spoolFolder, "scratch", source.name);
    case "into": {
      const path = resolve(target.target);
      const isFolder = await stat(path).then(
        (found) => found.isDirectory(),
        (error: unknown) => {
          if (errnoOf(error) !== "ENOENT") throw error;
          // Nothing there yet: a name with an extension is a file, any other one a folder that is made.
          return target.target.endsWith("/") || extname(path) === "";
        },
      );
      return isFolder ? join(path, source.name) : path;
    }
  }
}

export async function planRestore(
  source: DumpSource,
  options: RestoreOptions,
  config: SqliteConfig,
  context: StoreContext,
): Promise<RestorePlan> {
  const wanted = restoreSource(source);
  const destination = await destinationOf(options.target, wanted, config, context);
  const names = switchNames(destination);
  if (options.target.kind === "in-place") await recoverSwitch(names);
  const sizeNow = await sizeOf(destination);
  const using = options.target.kind === "in-place" ? await programsUsing(destination) : undefined;
  const counts = options.target.kind === "in-place" ? await countsNow(config, context) : undefined;
  return {
    destination,
    actions: actionsOf(names, sizeNow, wanted, options, using),
    obstacles: await obstaclesTo(destination, wanted, options, config),
    changes: changesOf(counts, source),
    replacesData: options.target.kind === "in-place" && (sizeNow ?? 0) > 0,
    basis: await basisOf(destination, wanted, options),
  };
}

/** Fingerprint of the target. With `force` programs may go on writing: then only the file's identity counts. */
export async function basisOf(
  destination: string,
  source: RestoreSource,
  options: RestoreOptions,
): Promise<string> {
  const seen: unknown[] = [destination, source.file.sha256, source.file.sizeBytes, options.target];
  for (const suffix of ["", ...companionSuffixes]) {
    // Readers touch -shm; it holds nothing of its own.
    if (suffix === "-shm") continue;
    try {
      const { dev, ino, size, mtimeNs } = await stat(destination + suffix, { bigint: true });
      if (suffix === "") seen.push(`${dev}:${ino}`);
      // An empty WAL comes and goes with every reader.
      if (!options.force && (suffix === "" || size > 0n)) seen.push(suffix, `${size}:${mtimeNs}`);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
  }
  return createHash("sha256").update(JSON.stringify(seen)).digest("hex");
}

export interface Obstacle {
  readonly code: ErrorCode;
  readonly text: string;
  readonly overridable: boolean;
}

/** Everything that stands in the way, as it is now. */
export async function obstaclesTo(
  destination: string,
  wanted: RestoreSource,
  options: RestoreOptions,
  config: SqliteConfig,
): Promise<Obstacle[]> {
  const obstacles: Obstacle[] = [];
  function hinder(code: ErrorCode, text: string): void {
    obstacles.push({ code, text, overridable: code === "TARGET_IN_USE" });
  }
  const isInPlace = options.target.kind === "in-place";
  if (wanted.isRaw && isInPlace) {
    hinder(
      "STORE_DAMAGED",
      "this snapshot holds the raw bytes of a damaged database: restore it with `--into FOLDER`, then run `sqlite3 FILE .recover` on it",
    );
  }
  if (!isInPlace && (await sizeOf(destination)) !== undefined) {
    hinder("TARGET_EXISTS", `${destination} exists and is not overwritten: name another place`);
  }
  const room = await roomAt(await nearestFolder(destination), config);
  if (lacks(room, wanted.file.sizeBytes)) {
    hinder(
      "SPACE_LOW",
      `the disk has ${sizeText(room.freeBytes)} free; ${sizeText(wanted.file.sizeBytes)} are needed and ${sizeText(room.reserveBytes)} must stay free`,
    );
  }
  const { programs } = isInPlace ? await programsUsing(destination) : { programs: [] };
  for (const { pid, name } of programs) {
    hinder(
      "TARGET_IN_USE",
      `process ${pid} (${name}) has the database open: stop it, since it would go on with the replaced file`,
    );
  }
  return obstacles;
}

/** The folder itself or the first one above it that exists. */
async function nearestFolder(path: string): Promise<string> {
  let folder = dirname(path);
  while ((await sizeOf(folder)) === undefined) folder = dirname(folder);
  return folder;
}

async function countsNow(
  config: SqliteConfig,
  context: StoreContext,
): Promise<ReadonlyMap<string, number> | undefined> {
  try {
    await using database = await openLive(config, context);
    const counts = await database.reader.ask("counts");
    return new Map(counts.map(({ name, records }) => [name, records]));
  } catch (error) {
    context.signal.throwIfAborted();
    // A restore is for databases that are gone or damaged: those have no counts, and the plan shows none.
    context.observer.step(context.name, `the present database cannot be counted: ${reasonOf(error)}`);
    return undefined;
  }
}

function changesOf(
  counts: ReadonlyMap<string, number> | undefined,
  source: DumpSource,
): RestorePlan["changes"] {
  const then = new Map(source.manifest.collections.map(({ name, records }) => [name, records]));
  const names = new Set([...(counts?.keys() ?? []), ...then.keys()]);
  return [...names].sort().map((collection) => ({
    collection,
    recordsNow: counts?.get(collection),
    recordsThen: then.get(collection),
  }));
}

function actionsOf(
  names: SwitchNames,
  sizeNow: number | undefined,
  source: RestoreSource,
  options: RestoreOptions,
  using: OpenFiles | undefined,
): string[] {
  const { database, staged, previous } = names;
  const bytes = sizeText(source.file.sizeBytes);
  if (options.target.kind !== "in-place")
    return [`write the database to ${database} (${bytes}) and check it`];
  const actions = [
    `write the new database beside the old one as ${basename(staged)} (${bytes}), check and compare it`,
  ];
  if (sizeNow === undefined) actions.push(`rename it to ${database}, where nothing is now`);
  else {
    actions.push(
      `replace ${database} (${sizeText(sizeNow)}) by it in one step; its -wal, -shm and -journal go with the old file`,
      `keep the old database in ${previous} until the next restore has succeeded`,
    );
  }
  if (using && !using.complete) {
    actions.push(
      "not every process could be looked into: make sure yourself that no program has the database open",
    );
  }
  return actions;
}
