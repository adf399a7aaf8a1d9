/** What stands in the way of a restore. What can be lived with is overridable. */
import type { DumpSource, RestorePlan } from "../store.ts";
import type { DatabaseSettings } from "./database-settings.ts";
import type { TablesFile } from "./tables-file.ts";
import type { Situation, Target } from "./target.ts";
import type { Surroundings } from "./view.ts";

export type Obstacle = RestorePlan["obstacles"][number];

interface Planned {
  readonly target: Target;
  readonly situation: Situation;
  readonly settings: DatabaseSettings;
  readonly tables: TablesFile;
  readonly method: "beside" | "transaction";
}

export function serverObstacles(
  source: DumpSource,
  { situation, settings, tables, target, method }: Planned,
  { config }: Surroundings,
): Obstacle[] {
  const obstacles: Obstacle[] = [];
  const no = (text: string): void => void obstacles.push({ text, overridable: false });
  const sourceMajor = Number.parseInt(source.manifest.engine.version, 10);
  if (situation.isStandby) no("the server is a standby: it takes no writes");
  if (situation.serverMajor < sourceMajor) {
    no(
      `the server is PostgreSQL ${situation.serverVersion}, older than the dump's ${source.manifest.engine.version}`,
    );
  }
  for (const [name, version] of Object.entries(settings.extensions)) {
    const there = situation.available.get(name);
    if (there === undefined) no(`the server does not have the extension ${name} (${version} in the dump)`);
    else if (isOlder(there, version)) no(`the server has ${name} ${there}, older than the dump's ${version}`);
  }
  if (target.kind !== "in-place" && !situation.mayCreate) no("the role may not create databases (CREATEDB)");
  if (method === "beside") {
    // What indexes take beyond their table is not known; the database that was dumped had them.
    const needed = tables.databaseBytes * 1.2;
    const { freeBytes } = situation;
    if (freeBytes !== undefined && freeBytes < needed) {
      no(
        `the restored database needs about ${mebibytes(needed)}, and the server's disk has ${mebibytes(freeBytes)} free`,
      );
    } else if (freeBytes === undefined && needed > config.scratchLimit) {
      no(
        `the restored database needs about ${mebibytes(needed)} on a disk that cannot be seen from here; scratchLimit allows ${mebibytes(config.scratchLimit)}`,
      );
    }
  } else {
    // A table locks itself, its TOAST table, and its indexes.
    const locks = tables.tables.length * 4;
    if (locks > situation.lockSlots) {
      no(
        `one transaction needs about ${locks} locks and the server has ${situation.lockSlots}; raise max_locks_per_transaction`,
      );
    }
  }
  return obstacles;
}

export function roleObstacles(
  strange: readonly string[],
  noSpace: readonly string[],
  situation: Situation,
): Obstacle[] {
  const obstacles: Obstacle[] = [];
  const missing = strange.filter((role) => !situation.roles.has(role));
  const foreign = strange.filter((role) => situation.roles.has(role));
  const instead = "with --force all objects belong to the restoring role, without grants";
  if (missing.length > 0) {
    obstacles.push({
      text: `the server lacks the roles ${missing.join(", ")}; ${instead}`,
      overridable: true,
    });
  }
  if (foreign.length > 0) {
    obstacles.push({
      text: `this role may not give objects to ${foreign.join(", ")}; ${instead}`,
      overridable: true,
    });
  }
  if (noSpace.length > 0) {
    obstacles.push({
      text: `the server lacks the tablespaces ${noSpace.join(", ")}; with --force the default one is used`,
      overridable: true,
    });
  }
  return obstacles;
}

export function databaseObstacles({ target, situation, method }: Planned): Obstacle[] {
  const { database } = situation;
  if (!database) return [];
  const name = target.connection.database;
  if (target.kind === "into") return [{ text: `the database ${name} exists already`, overridable: false }];
  const obstacles: Obstacle[] = [];
  if (database.clients.length > 0) {
    const some = database.clients
      .slice(0, 5)
      .map((client) => `${client.name} (process ${client.pid}, ${client.state})`);
    obstacles.push({
      text: `${database.clients.length} connected: ${some.join(", ")}; with --force they are disconnected`,
      overridable: true,
    });
  }
  if (method === "beside" && !database.isOwned) {
    obstacles.push({
      text: `the role does not own the database ${name}, so it may not rename it`,
      overridable: false,
    });
  }
  if (database.preparedTransactions > 0) {
    obstacles.push({
      text: `${database.preparedTransactions} prepared transactions are open (pg_prepared_xacts)`,
      overridable: false,
    });
  }
  if (database.slots.length > 0) {
    obstacles.push({
      text: `the replication slots ${database.slots.join(", ")} stay with the old database`,
      overridable: true,
    });
  }
  if (database.subscriptions.length > 0) {
    obstacles.push({
      text: `the subscriptions ${database.subscriptions.join(", ")} stay with the old database`,
      overridable: true,
    });
  }
  return obstacles;
}

export function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}

function isOlder(there: string, wanted: string): boolean {
  const [a, b] = [there, wanted].map((version) => version.split(/[^0-9]+/).map(Number));
  for (let place = 0; place < Math.max(a!.length, b!.length); place++) {
    const difference = (a![place] ?? 0) - (b![place] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
