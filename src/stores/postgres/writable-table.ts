/** What writing into tables needs to know of them: keys, types, triggers, foreign keys, sequences. */
import type { Session } from "./client.ts";
import { quoteName, quoteTable } from "./names.ts";
import type { Table } from "./schema.ts";

export interface WritableColumn {
  readonly name: string;
  /** The type whose input function reads the text, without its length: what is too long must fail, not be cut. */
  readonly type: string;
  /** json_to_recordset would take JSON for a value of its own, and a domain's base may be JSON: those go in as text. */
  readonly isText: boolean;
  /** GENERATED ALWAYS AS IDENTITY: can be inserted, not updated. */
  readonly isFixed: boolean;
}

export interface WritableTable extends Table {
  /** Of a partition, the table that it belongs to; otherwise its own. */
  readonly root: number;
  readonly isOwned: boolean;
  readonly writable: ReadonlyMap<string, WritableColumn>;
  /** Columns by which records are told apart, with the operator of their unique index; empty where there is none. */
  readonly identity: readonly { readonly column: string; readonly equals: string }[];
  /** Those that fire. `O`: with normal writes, `A`: always, `R`: only in a replica. */
  readonly triggers: readonly { readonly name: string; readonly mode: string }[];
}

/**
 * The primary key, otherwise the unique index over not-null columns with the fewest of them. The operator is the index's
 * own: `=` of an extension's type is not found without its schema, and text's would be taken for it.
 */
const tablesQuery = `
  SELECT c.oid, coalesce(pg_partition_root(c.oid)::oid, c.oid) AS root, pg_has_role(c.relowner, 'USAGE') AS owned,
         (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, -1),
                   'isText', t.typtype = 'd' OR a.atttypid IN (114, 3802), 'isFixed', a.attidentity = 'a'))
            FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
         (SELECT k.columns FROM (
            SELECT i.indisprimary, i.indnkeyatts, x.relname,
                   json_agg(json_build_object('column', a.attname, 'schema', n.nspname, 'operator', o.oprname)
                            ORDER BY k.place) AS columns,
                   bool_and(a.attnotnull AND a.attgenerated = '') AS tells
              FROM pg_index i
              JOIN pg_class x ON x.oid = i.indexrelid
              JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree'
              CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY AS k(attnum, class, place)
              JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
              JOIN pg_opclass b ON b.oid = k.class
              JOIN pg_amop p ON p.amopfamily = b.opcfamily AND p.amoplefttype = b.opcintype
                            AND p.amoprighttype = b.opcintype AND p.amopstrategy = 3
              JOIN pg_operator o ON o.oid = p.amopopr
              JOIN pg_namespace n ON n.oid = o.oprnamespace
             WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
               AND k.place <= i.indnkeyatts
             GROUP BY i.indexrelid, i.indisprimary, i.indnkeyatts, x.relname
            HAVING count(*) = i.indnkeyatts) k
           WHERE k.tells ORDER BY k.indisprimary DESC, k.indnkeyatts, k.relname LIMIT 1) AS identity,
         (SELECT coalesce(json_agg(json_build_object('name', tgname, 'mode', tgenabled)), '[]')
            FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal AND tgenabled <> 'D') AS triggers
    FROM pg_class c WHERE c.oid = ANY ($1::oid[])`;

/** In the order of `tables`. */
export async function writableTables(session: Session, tables: readonly Table[]): Promise<WritableTable[]> {
  const rows = await session.rows<Record<string, string | null>>(tablesQuery, [tables.map(({ oid }) => oid)]);
  const found = new Map(rows.map((row) => [Number(row["oid"]), row]));
  return tables.map((table) => {
    const row = found.get(table.oid)!;
    const columns = JSON.parse(row["columns"] ?? "[]") as WritableColumn[];
    const identity = JSON.parse(row["identity"] ?? "[]") as Record<
      "column" | "schema" | "operator",
      string
    >[];
    return {
      ...table,
      root: Number(row["root"]),
      isOwned: row["owned"] === "t",
      writable: new Map(columns.map((column) => [column.name, column])),
      identity: identity.map(({ column, schema, operator }) => ({
        column,
        // An operator's name cannot be quoted; it consists of a few signs, none of which ends a statement.
        equals: `OPERATOR(${quoteName(schema)}.${operator})`,
      })),
      triggers: JSON.parse(row["triggers"]!) as WritableTable["triggers"],
    };
  });
}

export interface ForeignKey {
  readonly name: string;
  /** Where it is defined, quoted. */
  readonly sql: string;
  readonly from: number;
  readonly to: number;
  readonly isDeferrable: boolean;
  readonly isOwned: boolean;
}

/** Foreign keys between these tables, by their roots. A partition's belongs to the table that it was made for. */
export async function foreignKeys(session: Session, tables: readonly WritableTable[]): Promise<ForeignKey[]> {
  const rows = await session.rows<Record<string, string>>(
    `SELECT c.conname AS name, n.nspname AS schema, r.relname AS table, c.condeferrable AS deferrable,
            pg_has_role(r.relowner, 'USAGE') AS owned,
            coalesce(pg_partition_root(c.conrelid)::oid, c.conrelid) AS from,
            coalesce(pg_partition_root(c.confrelid)::oid, c.confrelid) AS to
       FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace
      WHERE c.contype = 'f' AND c.conparentid = 0
        AND coalesce(pg_partition_root(c.conrelid)::oid, c.conrelid) = ANY ($1::oid[])
        AND coalesce(pg_partition_root(c.confrelid)::oid, c.confrelid) = ANY ($1::oid[])
      ORDER BY 2, 3, 1`,
    [tables.map(({ root }) => root)],
  );
  return rows.map((row) => ({
    name: row["name"]!,
    sql: quoteTable(row["schema"]!, row["table"]!),
    from: Number(row["from"]),
    to: Number(row["to"]),
    isDeferrable: row["deferrable"] === "t",
    isOwned: row["owned"] === "t",
  }));
}

/** Tables that others refer to come first; what cannot be ordered keeps its place at the end. */
export function inOrder(
  tables: readonly WritableTable[],
  keys: readonly ForeignKey[],
): { readonly tables: readonly WritableTable[]; readonly circular: readonly ForeignKey[] } {
  const ordered: number[] = [];
  const left = new Set(tables.map(({ root }) => root));
  for (let size = -1; size !== left.size;) {
    size = left.size;
    for (const root of left) {
      if (keys.some(({ from, to }) => from === root && to !== root && left.has(to))) continue;
      ordered.push(root);
      left.delete(root);
    }
  }
  const places = new Map([...ordered, ...left].map((root, place) => [root, place]));
  return {
    tables: tables.toSorted((a, b) => places.get(a.root)! - places.get(b.root)!),
    circular: keys.filter(({ from, to }) => places.get(to)! >= places.get(from)!),
  };
}
