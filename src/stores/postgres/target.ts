/** Where a restore goes, and what is there now. */
import { statfs } from "node:fs/promises";
import type { RestoreOptions } from "../store.ts";
import { type Table, countRows, listTables, readServer } from "./schema.ts";
import { type Session, openSession } from "./client.ts";
import { schema } from "./config.ts";
import { type Connection, resolveConnection, withDatabase } from "./connection.ts";
import type { Surroundings } from "./view.ts";

export interface Target {
  readonly kind: RestoreOptions["target"]["kind"];
  /** The database that the data will be in; for a drill only the server counts. */
  readonly connection: Connection;
  /** On the same server: from here databases are created and renamed. */
  readonly maintenance: Connection;
}

export function targetOf(options: RestoreOptions, { config, connection, environment }: Surroundings): Target {
  const { target } = options;
  let place = connection;
  if (target.kind === "into") {
    place = resolveConnection({ ...config, url: target.target, password: undefined }, environment);
    const [own, other] = [connection.hosts[0]!, place.hosts[0]!];
    const isSameUser = own.host === other.host && own.port === other.port && connection.user === place.user;
    // A password is for one server: it is not offered to another.
    if (place.password === undefined && isSameUser) place = { ...place, password: connection.password };
  }
  const { maintenanceDatabase } = config;
  const other = place.database === maintenanceDatabase ? "template1" : maintenanceDatabase;
  return { kind: target.kind, connection: place, maintenance: withDatabase(place, other) };
}

/** The facts about a target that a plan is made of. */
export interface Situation {
  readonly serverNumber: number;
  readonly serverMajor: number;
  readonly serverVersion: string;
  readonly systemId: string;
  readonly isStandby: boolean;
  readonly isSuperuser: boolean;
  readonly mayCreate: boolean;
  /** Undefined when the database is not there. */
  readonly database: Existing | undefined;
  /** Extension → the newest version that could be installed. */
  readonly available: ReadonlyMap<string, string>;
  /** Role → whether objects may be given to it. */
  readonly roles: ReadonlyMap<string, boolean>;
  readonly tablespaces: ReadonlySet<string>;
  /** Undefined when the server's disk cannot be seen from here. */
  readonly freeBytes: number | undefined;
  /** Locks that one transaction can have, roughly. */
  readonly lockSlots: number;
}

export interface Existing {
  readonly oid: string;
  readonly sizeBytes: number;
  readonly isOwned: boolean;
  readonly clients: readonly { readonly pid: string; readonly name: string; readonly state: string }[];
  readonly preparedTransactions: number;
  readonly slots: readonly string[];
  readonly subscriptions: readonly string[];
  readonly extensions: ReadonlySet<string>;
  readonly schemas: ReadonlySet<string>;
  readonly tables: readonly Table[];
  /** Exact, by collection. */
  readonly rows: ReadonlyMap<string, number>;
  /** Changes with every write and every rewritten table. */
  readonly fingerprint: string;
}

export async function readSituation(target: Target, surroundings: Surroundings): Promise<Situation> {
  const { config, context } = surroundings;
  await using session = await openSession(target.maintenance, config, context);
  const server = await readServer(session);
  const isSuperuser = server.isSuperuser;
  const [right] = await session.rows<{ creates: string; slots: string }>(`
    SELECT (rolcreatedb OR rolsuper) AS creates,
           current_setting('max_locks_per_transaction')::bigint
             * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint) AS slots
      FROM pg_roles WHERE rolname = current_user`);
  const available = await session.rows<{ name: string; version: string }>(
    "SELECT name, default_version AS version FROM pg_available_extensions",
  );
  const roles = await session.rows<{ name: string; member: string }>(
    "SELECT rolname AS name, pg_has_role(oid, 'USAGE') AS member FROM pg_roles",
  );
  const tablespaces = await session.rows<{ name: string }>("SELECT spcname AS name FROM pg_tablespace");
  return {
    serverNumber: server.number,
    serverMajor: server.major,
    serverVersion: server.version,
    systemId: server.systemId,
    isStandby: server.isStandby,
    isSuperuser,
    mayCreate: right!.creates === "t",
    database: target.kind === "scratch" ? undefined : await readExisting(session, target, surroundings),
    available: new Map(available.map(({ name, version }) => [name, version])),
    roles: new Map(roles.map(({ name, member }) => [name, member === "t"])),
    tablespaces: new Set(tablespaces.map(({ name }) => name)),
    freeBytes: await freeBytesOf(session, target.connection),
    lockSlots: Number(right!.slots),
  };
}

async function readExisting(
  maintenance: Session,
  target: Target,
  { config, context }: Surroundings,
): Promise<Existing | undefined> {
  const name = target.connection.database;
  const [row] = await maintenance.rows<Record<string, string>>(
    `SELECT oid, pg_database_size(oid) AS size, pg_has_role(datdba, 'USAGE') AS owned,
            (SELECT count(*) FROM pg_prepared_xacts WHERE database = datname) AS prepared
       FROM pg_database WHERE datname = $1`,
    [name],
  );
  if (!row) return undefined;
  const clients = await maintenance.rows<{ pid: string; name: string; state: string }>(
    `SELECT pid, coalesce(nullif(application_name, ''), usename, backend_type) AS name, coalesce(state, '') AS state
       FROM pg_stat_activity
      WHERE datname = $1 AND backend_type = 'client backend' ORDER BY pid`,
    [name],
  );
  const slots = await maintenance.rows<{ name: string }>(
    "SELECT slot_name AS name FROM pg_replication_slots WHERE database = $1 ORDER BY 1",
    [name],
  );
  await using session = await openSession(target.connection, config, context);
  const subscriptions = await session.rows<{ name: string }>(`
    SELECT subname AS name FROM pg_subscription
     WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1`);
  const extensions = await session.rows<{ name: string }>("SELECT extname AS name FROM pg_extension");
  const schemas = await session.rows<{ name: string }>("SELECT nspname AS name FROM pg_namespace");
  const tables = await listTables(session, schema.parse({}));
  const readable = tables.filter(({ isReadable, isPartitioned }) => isReadable && !isPartitioned);
  const writes = await session.value(
    "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables",
  );
  return {
    oid: row["oid"]!,
    sizeBytes: Number(row["size"]),
    isOwned: row["owned"] === "t",
    clients,
    preparedTransactions: Number(row["prepared"]),
    slots: slots.map(({ name }) => name),
    subscriptions: subscriptions.map(({ name }) => name),
    extensions: new Set(extensions.map(({ name }) => name)),
    schemas: new Set(schemas.map(({ name }) => name)),
    tables,
    rows: await countRows(session, readable),
    fingerprint: `${writes} ${tables.map(({ oid, fileNode }) => `${oid}/${fileNode}`).join(" ")}`,
  };
}

/** Of the server's data folder, where the server is this machine and tells where it is. */
async function freeBytesOf(session: Session, connection: Connection): Promise<number | undefined> {
  const [place] = connection.hosts;
  if (!["localhost", "127.0.0.1", "::1"].includes(place!.host) && !place!.host.startsWith("/"))
    return undefined;
  const folder = await session.value("SELECT setting FROM pg_settings WHERE name = 'data_directory'");
  if (folder === null) return undefined;
  // The server may run in a container of its own: then there is no such folder here.
  const disk = await statfs(folder).catch(() => undefined);
  return disk && disk.bavail * disk.bsize;
}
