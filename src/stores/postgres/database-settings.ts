/** What a database is besides its objects: how it was created, and its properties. It comes back with a restore. */
import { z } from "zod";
import type { Session } from "./client.ts";
import { quoteName, quoteText } from "./names.ts";

const Privilege = z.object({
  /** Empty for everybody. */
  grantee: z.string(),
  privilege: z.enum(["CREATE", "TEMPORARY", "CONNECT"]),
  grantable: z.boolean(),
});

export const DatabaseProperties = z.object({
  owner: z.string(),
  comment: z.string().nullable(),
  connectionLimit: z.number().int(),
  /** Undefined: as PostgreSQL gives it by default. */
  privileges: z.array(Privilege).optional(),
  /** Role (empty: everybody) → `name=value`, as pg_db_role_setting has it. */
  settings: z.array(z.object({ role: z.string(), setting: z.string() })),
});
export type DatabaseProperties = z.infer<typeof DatabaseProperties>;

export const DatabaseSettings = z.object({
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  /** `libc`, `icu` or `builtin`. */
  localeProvider: z.string(),
  locale: z.string().nullable(),
  icuRules: z.string().nullable(),
  /** Indexes over text are ordered by it; null where the provider has none. */
  collationVersion: z.string().nullable(),
  extensions: z.record(z.string(), z.string()),
  /** Roles that own something in the database or were granted something. */
  roles: z.array(z.string()),
  /** Other than the default one. */
  tablespaces: z.array(z.string()),
  /** Settings of the server that change what values mean or how they look. */
  server: z.record(z.string(), z.string()),
  properties: DatabaseProperties,
});
export type DatabaseSettings = z.infer<typeof DatabaseSettings>;

const providers: Readonly<Record<string, string>> = { c: "libc", i: "icu", b: "builtin" };

const telling = [
  "TimeZone",
  "DateStyle",
  "IntervalStyle",
  "lc_messages",
  "lc_monetary",
  "lc_numeric",
  "lc_time",
  "bytea_output",
  "xmloption",
  "xmlbinary",
  "default_text_search_config",
  "standard_conforming_strings",
  "default_toast_compression",
  "block_size",
];

/** Marks of ours on databases; they are about one database and do not travel. */
export const markPrefix = "memkeep.";

export async function readDatabaseSettings(session: Session): Promise<DatabaseSettings> {
  const [row] = await session.rows<{ database: string; encoding: string }>(`
    SELECT to_jsonb(d) AS database, pg_encoding_to_char(d.encoding) AS encoding
      FROM pg_database d WHERE d.datname = current_database()`);
  // Columns of pg_database differ between versions: daticulocale until 16, datlocale since 17, daticurules since 16.
  const database = JSON.parse(row!.database) as Record<string, string | null>;
  const extensions = await session.rows<{ name: string; version: string }>(
    "SELECT extname AS name, extversion AS version FROM pg_extension ORDER BY 1",
  );
  const roles = await session.rows<{ name: string }>(`
    SELECT DISTINCT r.rolname AS name
      FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
     WHERE s.refclassid = 'pg_authid'::regclass
       AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
     ORDER BY 1`);
  const tablespaces = await session.rows<{ name: string }>(`
    SELECT DISTINCT t.spcname AS name FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace
     WHERE t.spcname <> 'pg_global' ORDER BY 1`);
  const server = await session.rows<{ name: string; value: string }>(
    "SELECT name, reset_val AS value FROM pg_settings WHERE name = ANY ($1) ORDER BY 1",
    [telling],
  );
  return {
    encoding: row!.encoding,
    collate: database["datcollate"]!,
    ctype: database["datctype"]!,
    localeProvider: providers[database["datlocprovider"] ?? "c"] ?? "libc",
    locale: database["datlocale"] ?? database["daticulocale"] ?? null,
    icuRules: database["daticurules"] ?? null,
    collationVersion: database["datcollversion"] ?? null,
    extensions: Object.fromEntries(extensions.map(({ name, version }) => [name, version])),
    roles: roles.map(({ name }) => name),
    tablespaces: tablespaces.map(({ name }) => name),
    server: Object.fromEntries(server.map(({ name, value }) => [name, value])),
    properties: (await readProperties(session, await currentDatabase(session)))!,
  };
}

async function currentDatabase(session: Session): Promise<string> {
  return (await session.value("SELECT current_database()"))!;
}

/** Undefined when there is no such database. */
export async function readProperties(
  session: Session,
  name: string,
): Promise<DatabaseProperties | undefined> {
  const [row] = await session.rows<Record<string, string | null>>(
    `SELECT pg_get_userbyid(d.datdba) AS owner, shobj_description(d.oid, 'pg_database') AS comment, d.datconnlimit AS lim,
            CASE WHEN d.datacl IS NOT NULL THEN
              (SELECT coalesce(json_agg(json_build_object('grantee', coalesce(r.rolname, ''), 'privilege', a.privilege_type,
                      'grantable', a.is_grantable) ORDER BY r.rolname NULLS FIRST, a.privilege_type), '[]')
                 FROM aclexplode(d.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee) END AS privileges,
            (SELECT coalesce(json_agg(json_build_object('role', coalesce(r.rolname, ''), 'setting', s.setting)
                      ORDER BY r.rolname NULLS FIRST, s.setting), '[]')
               FROM pg_db_role_setting c CROSS JOIN LATERAL unnest(c.setconfig) AS s(setting)
               LEFT JOIN pg_roles r ON r.oid = c.setrole
              WHERE c.setdatabase = d.oid) AS settings
       FROM pg_database d WHERE d.datname = $1`,
    [name],
  );
  if (!row) return undefined;
  const settings = JSON.parse(row["settings"]!) as { role: string; setting: string }[];
  return {
    owner: row["owner"]!,
    comment: row["comment"] ?? null,
    connectionLimit: Number(row["lim"]),
    ...(row["privileges"] === null
      ? {}
      : { privileges: JSON.parse(row["privileges"]!) as DatabaseProperties["privileges"] }),
    settings: settings.filter(({ setting }) => !setting.startsWith(markPrefix)),
  };
}

/** Settings whose value is a list of quoted names, written as they are (`variable_is_guc_list_quote` of PostgreSQL). */
const listSettings = new Set([
  "local_preload_libraries",
  "search_path",
  "session_preload_libraries",
  "shared_preload_libraries",
  "temp_tablespaces",
  "unix_socket_directories",
]);

export interface PropertyStatements {
  readonly statements: readonly string[];
  /** What cannot be, since its role is not there. */
  readonly leftOut: readonly string[];
}

/** The statements that give `name` these properties. `roles` are those that exist. */
export function propertyStatements(
  name: string,
  properties: DatabaseProperties,
  roles: ReadonlySet<string>,
): PropertyStatements {
  const database = quoteName(name);
  const statements: string[] = [];
  const leftOut: string[] = [];
  function withRole(role: string, what: string, statement: string): void {
    if (role === "" || roles.has(role)) statements.push(statement);
    else leftOut.push(`${what}: there is no role ${role}`);
  }
  for (const { role, setting } of properties.settings) {
    const equals = setting.indexOf("=");
    const variable = setting.slice(0, equals);
    const value = setting.slice(equals + 1);
    const target = role === "" ? `DATABASE ${database}` : `ROLE ${quoteName(role)} IN DATABASE ${database}`;
    const literal = listSettings.has(variable) ? value || "''" : quoteText(value);
    const parameter = variable.split(".").map(quoteName).join(".");
    withRole(role, `the setting ${variable}`, `ALTER ${target} SET ${parameter} TO ${literal}`);
  }
  if (properties.comment !== null) {
    statements.push(`COMMENT ON DATABASE ${database} IS ${quoteText(properties.comment)}`);
  }
  if (properties.connectionLimit >= 0) {
    statements.push(`ALTER DATABASE ${database} CONNECTION LIMIT ${properties.connectionLimit}`);
  }
  if (properties.privileges) {
    statements.push(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
    for (const { grantee, privilege, grantable } of properties.privileges) {
      const to = grantee === "" ? "PUBLIC" : quoteName(grantee);
      const option = grantable ? " WITH GRANT OPTION" : "";
      withRole(
        grantee,
        `the privilege ${privilege}`,
        `GRANT ${privilege} ON DATABASE ${database} TO ${to}${option}`,
      );
    }
  }
  // Last: who is not a superuser can do nothing to it afterwards.
  withRole(
    properties.owner,
    "the owner",
    `ALTER DATABASE ${database} OWNER TO ${quoteName(properties.owner)}`,
  );
  return { statements, leftOut };
}
