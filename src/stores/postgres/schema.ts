/** What the database has, read from the system catalogues. */
import type { PostgresConfig } from "./config.ts";
import type { Session } from "./client.ts";
import { collectionName, parseCollectionName, quoteTable } from "./names.ts";

export interface Table {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  /** Quoted, for SQL. */
  readonly sql: string;
  /** Changes when the table is rewritten. */
  readonly fileNode: string;
  readonly isPartitioned: boolean;
  readonly isUnlogged: boolean;
  /** Whether the role may read all its rows: the right to read, and no policy that would hide some. */
  readonly isReadable: boolean;
  readonly hidesRows: boolean;
  /** For a table of an extension, the rows that a dump holds, as `WHERE …` or nothing; undefined for the user's own. */
  readonly extensionRows: string | undefined;
  /** Without generated columns, in the order of the table. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly key: readonly string[] | undefined;
  readonly integers: readonly string[];
}

/** The tables that pg_dump would dump; `selectDumpableTable` of its source. Temporary ones belong to other sessions. */
const tablesQuery = `
  SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relfilenode,
         has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
         row_security_active(c.oid) AS hidden,
         x.extension IS NOT NULL AS of_extension, x.rows AS extension_rows,
         (SELECT coalesce(json_agg(json_build_array(a.attname, a.atttypid::regtype::text) ORDER BY a.attnum), '[]')
            FROM pg_attribute a
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
         (SELECT json_agg(a.attname ORDER BY k.place)
            FROM pg_index i
            CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
           WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts) AS key
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN LATERAL (
         SELECT e.oid AS extension, e.extcondition[array_position(e.extconfig, c.oid)] AS rows,
                array_position(e.extconfig, c.oid) IS NOT NULL AS dumped
           FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
            AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e') x ON true
   WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
     AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND (x.extension IS NULL OR x.dumped)
   ORDER BY c.oid`;

const integerTypes = new Set(["smallint", "integer", "bigint"]);

/** The tables of a dump with this configuration. */
export async function listTables(session: Session, config: PostgresConfig): Promise<Table[]> {
  const rows = await session.rows<Record<string, string | null>>(tablesQuery);
  return rows.map(tableOf).filter((table) => isChosen(table, config));
}

function tableOf(row: Record<string, string | null>): Table {
  const schema = row["nspname"]!;
  const table = row["relname"]!;
  const columns = JSON.parse(row["columns"]!) as [string, string][];
  return {
    oid: Number(row["oid"]),
    schema,
    table,
    name: collectionName(schema, table),
    sql: quoteTable(schema, table),
    fileNode: row["relfilenode"]!,
    isPartitioned: row["relkind"] === "p",
    isUnlogged: row["relpersistence"] === "u",
    isReadable: row["readable"] === "t",
    hidesRows: row["hidden"] === "t",
    extensionRows: row["of_extension"] === "t" ? (row["extension_rows"] ?? "") : undefined,
    columns: columns.map(([name, type]) => ({ name, type })),
    key: row["key"] === null ? undefined : (JSON.parse(row["key"]!) as string[]),
    integers: columns.filter(([, type]) => integerTypes.has(type)).map(([name]) => name),
  };
}

/** pg_dump's own rule: where tables are named, schemas are not looked at. */
function isChosen({ schema, table }: Table, config: PostgresConfig): boolean {
  const named = (names: readonly string[]): boolean => names.some((name) => isNamed(name, schema, table));
  if (named(config.excludeTables) || config.excludeSchemas.includes(schema)) return false;
  if (config.tables) return named(config.tables);
  return config.schemas?.includes(schema) ?? true;
}

export function isNamed(name: string, schema: string, table: string): boolean {
  const parsed = parseCollectionName(name);
  return parsed?.schema === schema && parsed.table === table;
}

/** Whether the configuration leaves anything out. */
export function isPartial(config: PostgresConfig): boolean {
  return (
    config.schemas !== undefined ||
    config.tables !== undefined ||
    config.excludeSchemas.length + config.excludeTables.length > 0
  );
}

export interface Server {
  /** 160004 for 16.4. */
  readonly number: number;
  readonly major: number;
  readonly version: string;
  readonly isStandby: boolean;
  readonly isSuperuser: boolean;
  readonly systemId: string;
  readonly databaseOid: string;
  readonly databaseBytes: number;
}

export async function readServer(session: Session): Promise<Server> {
  const [row] = await session.rows<Record<string, string | null>>(`
    SELECT current_setting('server_version_num') AS number, current_setting('server_version') AS version,
           pg_is_in_recovery() AS standby, current_setting('is_superuser') = 'on' AS superuser,
           (SELECT system_identifier FROM pg_control_system()) AS system,
           d.oid AS database, pg_database_size(d.oid) AS bytes
      FROM pg_database d WHERE d.datname = current_database()`);
  const number = Number(row!["number"]);
  return {
    number,
    major: Math.floor(number / 10_000),
    version: row!["version"]!,
    isStandby: row!["standby"] === "t",
    isSuperuser: row!["superuser"] === "t",
    systemId: row!["system"]!,
    databaseOid: row!["database"]!,
    databaseBytes: Number(row!["bytes"]),
  };
}

/** Exact numbers of rows that a dump holds, by the table's name, as the session's snapshot sees them. */
export async function countRows(session: Session, tables: readonly Table[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const perStatement = 50;
  for (let first = 0; first < tables.length; first += perStatement) {
    const batch = tables.slice(first, first + perStatement);
    const parts = batch.map(
      ({ sql, extensionRows }, place) =>
        `SELECT ${place} AS place, count(*) AS rows FROM ONLY ${sql} ${extensionRows ?? ""}`,
    );
    for (const row of await session.rows<{ place: string; rows: string }>(parts.join(" UNION ALL "))) {
      counts.set(batch[Number(row.place)]!.name, Number(row.rows));
    }
  }
  return counts;
}

export async function countLargeObjects(session: Session): Promise<number> {
  return Number(await session.value("SELECT count(*) FROM pg_largeobject_metadata"));
}
