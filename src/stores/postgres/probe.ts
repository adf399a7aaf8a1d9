/** Measurements of a database, and what the backup role lacks. */
import { reasonOf } from "../../domain/errors.ts";
import type { Probe } from "../store.ts";
import { listTables, readServer } from "./schema.ts";
import { type Session, openSession } from "./client.ts";
import { markedDatabases } from "./marked-databases.ts";
import { quoteName, quoteText } from "./names.ts";
import { chooseTools, findTools } from "./tools.ts";
import type { Surroundings } from "./view.ts";

/** Never rejects: what cannot be measured is `unknown`, a database that is not there `critical`. */
export async function probeDatabase(surroundings: Surroundings): Promise<readonly Probe[]> {
  const { config, connection, context } = surroundings;
  try {
    await using session = await openSession(connection, { ...config, retryAttempts: 1 }, context);
    const probes: Probe[] = [
      { name: "reachable", status: "ok", text: `connected to ${connection.database}` },
    ];
    for (const [name, measure] of measurements) {
      try {
        probes.push({ name, ...(await measure(session, surroundings)) });
      } catch (error) {
        probes.push({ name, status: "unknown", text: reasonOf(error) });
      }
    }
    return probes;
  } catch (error) {
    return [{ name: "reachable", status: "critical", text: reasonOf(error) }];
  }
}

type Measurement = (session: Session, surroundings: Surroundings) => Promise<Omit<Probe, "name">>;

const measurements: readonly (readonly [string, Measurement])[] = [
  ["tools", probeTools],
  ["privileges", probePrivileges],
  ["size", probeSize],
  ["scratch databases", probeScratch],
  ["connections", probeConnections],
];

async function probeTools(
  session: Session,
  { config, environment }: Surroundings,
): Promise<Omit<Probe, "name">> {
  const server = await readServer(session);
  const found = await findTools(config.tools, environment);
  try {
    const tools = chooseTools(found, server.major, `the server is PostgreSQL ${server.version}`);
    return { status: "ok", text: `pg_dump ${tools.version} for PostgreSQL ${server.version}` };
  } catch (error) {
    return { status: "critical", text: reasonOf(error) };
  }
}

async function probePrivileges(
  session: Session,
  { config, connection }: Surroundings,
): Promise<Omit<Probe, "name">> {
  const tables = await listTables(session, config);
  const denied = tables.filter(({ isReadable }) => !isReadable);
  const hidden = tables.filter(({ hidesRows }) => hidesRows);
  const objects = await session.value(`
    SELECT count(*) FROM pg_largeobject_metadata m
     WHERE NOT (pg_has_role(m.lomowner, 'USAGE') OR current_setting('is_superuser') = 'on'
                OR EXISTS (SELECT FROM aclexplode(m.lomacl) a
                            WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE'))))`);
  if (denied.length === 0 && hidden.length === 0 && objects === "0") {
    return { status: "ok", text: `the role ${connection.user} can read every row` };
  }
  const statements = backupRole(connection.user, connection.database, {
    serverMajor: (await readServer(session)).major,
    schemas: [...new Set(tables.map(({ schema }) => schema))],
    lacksTables: denied.length > 0,
    hidesRows: hidden.length > 0,
    lacksObjects: objects !== "0",
  });
  const lacks = [
    ...(denied.length > 0 ? [`cannot read ${denied.length} tables, such as ${denied[0]!.name}`] : []),
    ...(hidden.length > 0 ? [`would not see all rows of ${hidden.map(({ name }) => name).join(", ")}`] : []),
    ...(objects === "0" ? [] : [`cannot read ${objects} large objects`]),
  ];
  return {
    status: "critical",
    text: `the role ${connection.user} ${lacks.join(" and ")}. As a superuser, in the database ${connection.database}: ${statements}`,
  };
}

interface Lack {
  readonly serverMajor: number;
  readonly schemas: readonly string[];
  readonly lacksTables: boolean;
  readonly hidesRows: boolean;
  readonly lacksObjects: boolean;
}

/** The statements that give a role what it lacks for backups, and nothing else. */
function backupRole(user: string, database: string, lack: Lack): string {
  const role = quoteName(user);
  const perSchema = lack.schemas
    .map(quoteName)
    .flatMap((schema) => [
      `GRANT USAGE ON SCHEMA ${schema} TO ${role};`,
      `GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${role};`,
      `GRANT SELECT ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role};`,
    ]);
  const tables = lack.serverMajor >= 14 ? [`GRANT pg_read_all_data TO ${role};`] : perSchema;
  return [
    `GRANT CONNECT ON DATABASE ${quoteName(database)} TO ${role};`,
    ...(lack.lacksTables ? tables : []),
    ...(lack.hidesRows ? [`ALTER ROLE ${role} BYPASSRLS;`] : []),
    // pg_read_all_data is for tables.
    ...(lack.lacksObjects
      ? [
          `DO $$ DECLARE o oid; BEGIN FOR o IN SELECT oid FROM pg_largeobject_metadata LOOP EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO %I', o, ${quoteText(user)}); END LOOP; END $$;`,
        ]
      : []),
  ].join(" ");
}

async function probeSize(session: Session): Promise<Omit<Probe, "name">> {
  const { databaseBytes } = await readServer(session);
  return {
    status: "ok",
    text: `the database takes ${Math.ceil(databaseBytes / 2 ** 20)} MiB`,
    value: { amount: databaseBytes, unit: "bytes" },
  };
}

async function probeScratch(session: Session): Promise<Omit<Probe, "name">> {
  const left = (await markedDatabases(session)).filter(({ mark }) => mark === "scratch");
  if (left.length === 0) return { status: "ok", text: "no scratch databases are left" };
  return {
    status: "warning",
    text: `scratch databases are there: ${left.map(({ name, text }) => `${name} (${text})`).join(", ")}. When no restore or drill runs: ${left.map(({ name }) => `DROP DATABASE ${quoteName(name)};`).join(" ")}`,
    value: { amount: left.length, unit: "databases" },
  };
}

async function probeConnections(session: Session): Promise<Omit<Probe, "name">> {
  const [row] = await session.rows<{ used: string; most: string }>(
    "SELECT count(*) AS used, current_setting('max_connections') AS most FROM pg_stat_activity WHERE backend_type = 'client backend'",
  );
  const share = Number(row!.used) / Number(row!.most);
  return {
    status: share > 0.8 ? "warning" : "ok",
    text: `${row!.used} of ${row!.most} connections are used`,
    value: { amount: share, unit: "ratio" },
  };
}
