/**
 * Statements that clear the way for a dump's objects in a database that has older ones. pg_restore's own `--clean` drops
 * one by one and fails on partitions, whose constraints cannot be dropped alone; here all tables go in one statement.
 * Nothing is dropped with CASCADE: what the dump does not have and depends on something it has is an error.
 */
import type { ArchiveContents, ArchiveEntry } from "./archive/contents.ts";
import { ofTables } from "./entry-types.ts";
import { quoteTable } from "./names.ts";

/** What may stand on tables. */
const onTables = new Set(["VIEW", "MATERIALIZED VIEW", "PUBLICATION", "EVENT TRIGGER", "SUBSCRIPTION"]);

/** What stays: schemas hold other objects as well, large objects go as a whole. */
const staying = /^(SCHEMA|BLOBS?|BLOB METADATA|DATABASE.*|EXTENSION)$/;

/** In the order in which they must be run. `entries` are those that will be restored. */
export function dropStatements(contents: ArchiveContents, entries: readonly number[]): string[] {
  const chosen = new Set(entries);
  const reversed = contents.entries.filter(({ id }) => chosen.has(id)).toReversed();
  const tables = reversed.filter(({ type }) => type === "TABLE");
  const first = reversed.filter(({ type }) => onTables.has(type));
  const rest = reversed.filter(
    ({ type }) => type !== "TABLE" && !ofTables.has(type) && !onTables.has(type) && !staying.test(type),
  );
  const statements = first.flatMap(dropIfExists);
  if (tables.length > 0) {
    const names = tables.map(({ schema, tag }) => quoteTable(schema, tag));
    statements.push(`DROP TABLE IF EXISTS ${names.join(", ")}`);
  }
  statements.push(...rest.flatMap(dropIfExists));
  if (reversed.some(({ type }) => type === "BLOBS")) {
    statements.push("SELECT count(pg_catalog.lo_unlink(oid)) FROM pg_catalog.pg_largeobject_metadata");
  }
  return statements;
}

/** As pg_restore does with `--if-exists`. */
function dropIfExists({ type, drop }: ArchiveEntry): string[] {
  const begin = `DROP ${type} `;
  if (!drop.startsWith(begin)) return [];
  return [`DROP ${type} IF EXISTS ${drop.slice(begin.length).trimEnd().replace(/;$/, "")}`];
}
