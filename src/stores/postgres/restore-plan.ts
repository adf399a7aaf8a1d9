/** What a restore would do, and what stands in its way. */
import { hash } from "node:crypto";
import { parse as parsePath } from "node:path";
import { isMemkeepError, reasonOf } from "../../domain/errors.ts";
import type { DumpSource, RestoreOptions, RestorePlan, RestoreSelection } from "../store.ts";
import { damaged } from "../format/damaged.ts";
import { contentsOf } from "./archive-loader.ts";
import { sourceOf } from "./connection.ts";
import { DatabaseSettings } from "./database-settings.ts";
import { readTables } from "./decode.ts";
import { datedName } from "./marked-databases.ts";
import {
  type Obstacle,
  databaseObstacles,
  mebibytes,
  roleObstacles,
  serverObstacles,
} from "./restore-obstacles.ts";
import { selectEntries } from "./selection.ts";
import type { TablesFile } from "./tables-file.ts";
import { type Situation, type Target, readSituation, targetOf } from "./target.ts";
import { type Tools, chooseTools, findTools } from "./tools.ts";
import type { Surroundings } from "./view.ts";

/** Beside the target and then into its place; or, without the right to create databases, in one transaction. */
export type Method = "beside" | "transaction";

export interface PlannedRestore {
  readonly plan: RestorePlan;
  readonly target: Target;
  readonly situation: Situation;
  readonly settings: DatabaseSettings;
  readonly tables: TablesFile;
  readonly method: Method;
  readonly only: RestoreSelection | undefined;
  readonly globals: boolean;
  readonly discardOld: boolean;
  readonly tools: Tools;
  /** Owners and grants cannot be as they were. */
  readonly withoutOwners: boolean;
  readonly withoutTablespaces: boolean;
}

const noTables: TablesFile = {
  format: "memkeep-postgres-tables",
  version: 1,
  databaseBytes: 0,
  contentsBytes: 0,
  tables: [],
};

/** Damage of the dump is an obstacle like any other; `DUMP_DAMAGED` only when the manifest lacks the settings. */
export async function planDatabaseRestore(
  source: DumpSource,
  options: RestoreOptions,
  surroundings: Surroundings,
): Promise<PlannedRestore> {
  const settings = DatabaseSettings.safeParse(source.manifest.settings);
  if (!settings.success) throw damaged("manifest.json", "it lacks the database's settings", settings.error);
  const damage: Obstacle[] = [];
  const tables = await readTables(source).catch((error: unknown) => {
    if (!isMemkeepError(error, "DUMP_DAMAGED")) throw error;
    damage.push({ text: reasonOf(error), overridable: false });
    return noTables;
  });
  const target = targetOf(options, surroundings);
  const { only } = options;
  // A name that the dump does not have is told by the plan, not by its run.
  const chosen =
    only && damage.length === 0
      ? selectEntries(await contentsOf(source, tables.contentsBytes), only, false).tables
      : undefined;
  const [situation, found] = await Promise.all([
    readSituation(target, surroundings),
    findTools(surroundings.config.tools, surroundings.environment),
  ]);
  const sourceMajor = Number.parseInt(source.manifest.engine.version, 10);
  const major = Math.max(sourceMajor, situation.serverMajor);
  const tools = chooseTools(found, major, `the dump is of PostgreSQL ${source.manifest.engine.version}`);
  const replaces = target.kind === "in-place" && situation.database !== undefined;
  const method = replaces && (options.only !== undefined || !situation.mayCreate) ? "transaction" : "beside";
  const wanted = settings.data;
  // Roles that the globals bring are there by the time they are needed.
  const strange = wanted.roles.filter(
    (role) => situation.roles.get(role) !== true && !(options.globals === true && !situation.roles.has(role)),
  );
  const noSpace = wanted.tablespaces.filter((name) => !situation.tablespaces.has(name));
  const planned = {
    target,
    situation,
    settings: wanted,
    tables,
    method,
    only: options.only,
    globals: options.globals === true,
    discardOld: options.discardOld === true,
    tools,
    withoutOwners: strange.length > 0,
    withoutTablespaces: noSpace.length > 0,
  } as const;
  const obstacles = [
    ...damage,
    ...serverObstacles(source, planned, surroundings),
    ...roleObstacles(strange, noSpace, situation),
    ...databaseObstacles(planned),
  ];
  return { ...planned, plan: describePlan(source, options, planned, obstacles, chosen, surroundings) };
}

function describePlan(
  source: DumpSource,
  options: RestoreOptions,
  planned: Omit<PlannedRestore, "plan">,
  obstacles: readonly Obstacle[],
  chosen: ReadonlySet<string> | undefined,
  { context }: Surroundings,
): RestorePlan {
  const { target, situation, method } = planned;
  const { database } = situation;
  const isChosen = (name: string): boolean => chosen?.has(name) ?? true;
  const isData = (name: string): boolean =>
    planned.tables.tables.some((table) => table.name === name) && isChosen(name);
  const then = new Map(
    source.manifest.collections
      .filter(({ name }) => isData(name))
      .map((facts) => [facts.name, facts.records]),
  );
  const names = new Set([...then.keys(), ...(database?.rows.keys() ?? [])].filter(isChosen));
  const basis = {
    systemId: situation.systemId,
    server: situation.serverNumber,
    database: database?.oid,
    method,
    tools: planned.tools.version,
    available: Object.keys(planned.settings.extensions).map((name) => situation.available.get(name)),
    obstacles: obstacles.filter(({ overridable }) => !overridable),
    withoutOwners: planned.withoutOwners,
    only: options.only,
    globals: options.globals,
    discardOld: options.discardOld,
    // While programs are connected rows change all the time: `force` says that this is known. Otherwise nobody is, and a
    // change means that somebody was.
    data: options.force || target.kind !== "in-place" ? undefined : database?.fingerprint,
    manifest: source.manifest.files.map(({ sha256 }) => sha256),
  };
  return {
    destination:
      target.kind === "scratch" ? `a scratch database on ${serverOf(target)}` : sourceOf(target.connection),
    actions: actionsOf(planned, context.clock.now()),
    obstacles,
    changes: [...names].map((collection) => ({
      collection,
      recordsNow: database?.rows.get(collection),
      recordsThen: then.get(collection),
    })),
    replacesData: target.kind === "in-place" && database !== undefined && database.tables.length > 0,
    basis: hash("sha256", JSON.stringify(basis)),
  };
}

function actionsOf(
  {
    target,
    situation,
    method,
    tables,
    settings,
    tools,
    only,
    globals,
    discardOld,
  }: Omit<PlannedRestore, "plan">,
  nowMs: number,
): string[] {
  const name = target.connection.database;
  const what = only
    ? partOf(only)
    : `${tables.tables.length} tables (about ${mebibytes(tables.databaseBytes)} with indexes)`;
  const extensions = Object.keys(settings.extensions).filter((extension) => extension !== "plpgsql");
  const first = globals
    ? [
        `create roles and tablespaces that ${serverOf(target)} lacks, and set those roles' settings; a roll-back leaves them`,
      ]
    : [];
  const actions = [
    ...first,
    `restore ${what} with pg_restore ${tools.version} into a new database on ${serverOf(target)}`,
  ];
  if (extensions.length > 0) actions.push(`create the extensions ${extensions.join(", ")}`);
  if (target.kind === "scratch") return [...actions, "compare every table, and drop the database again"];
  if (method === "transaction") {
    return [
      ...first,
      `in one transaction: drop what the dump also has from ${name}, and restore ${what} in its place`,
      "compare every table before the transaction is committed; a difference undoes it all",
      `keep the objects of ${name} that the dump does not have; large objects are replaced as a whole`,
    ];
  }
  actions.push("compare every table by count and digest");
  if (!situation.database) return [...actions, `name the new database ${name}`];
  return [
    ...actions,
    `disconnect programs from ${name} for a moment, rename it to ${datedName(name, "before", nowMs).replace(/\d{14}$/, "…")}, and give its name, settings, grants, comment and owner to the new one`,
    discardOld
      ? "drop the old database, and what earlier restores kept of it, with all that is written to it from now on"
      : "keep the old database until the next successful restore; what is written to it from now on is only there",
  ];
}

function partOf({ schemas = [], collections = [] }: RestoreSelection): string {
  const named = (kind: string, names: readonly string[]): string[] =>
    names.length === 0 ? [] : [`the ${kind}${names.length > 1 ? "s" : ""} ${names.join(", ")}`];
  const parts = [...named("schema", schemas), ...named("table", collections)];
  return `${parts.join(" and ")}, with sequences and indexes,`;
}

function serverOf(target: Target): string {
  const [place] = target.connection.hosts;
  return parsePath(place!.host).root === "" ? `${place!.host}:${place!.port}` : place!.host;
}
