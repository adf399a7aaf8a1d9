/** `tables.json`: what the archive's tables are made of and where each lies in it, so that one can be read alone. */
import { z } from "zod";
import { damaged } from "../format/damaged.ts";
import { tablesFile } from "./dump-files.ts";

const TableEntry = z.object({
  name: z.string(),
  schema: z.string(),
  table: z.string(),
  /** In the order of the rows' values. */
  columns: z.array(z.string()),
  integers: z.array(z.string()),
  key: z.array(z.string()).optional(),
  rows: z.number().int().nonnegative(),
  /** Of the table's block in the archive, and its length. */
  offset: z.number().int().nonnegative(),
  sizeBytes: z.number().int().nonnegative(),
});

export type TableEntry = z.infer<typeof TableEntry>;

export const TablesFile = z.object({
  format: z.literal("memkeep-postgres-tables"),
  version: z.literal(1),
  /** What the database took on its server's disk, indexes included. */
  databaseBytes: z.number().nonnegative(),
  /** Before the first data in the archive: what its reader needs in front of a single table's block. */
  contentsBytes: z.number().int().nonnegative(),
  tables: z.array(TableEntry),
});
export type TablesFile = z.infer<typeof TablesFile>;

export function formatTables(file: TablesFile): Buffer {
  const { tables, ...head } = file;
  // One table a line: a changed table then changes one line.
  const lines = tables.map((table) => JSON.stringify(table)).join(",\n");
  return Buffer.from(`${JSON.stringify(head).slice(0, -1)},"tables":[\n${lines}\n]}\n`);
}

/** `DUMP_DAMAGED` when it is not such a file. */
export function parseTables(bytes: Buffer): TablesFile {
  try {
    return TablesFile.parse(JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    throw damaged(tablesFile, "it is not the list of tables", cause);
  }
}
