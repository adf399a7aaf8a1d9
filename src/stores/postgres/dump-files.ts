/** The files of a dump, within the store's folder. */

/** pg_dump's custom format, not compressed: stock pg_restore reads it. */
export const archiveFile = "database.dump";
/** What the archive's tables are made of, and where each lies in it. */
export const tablesFile = "tables.json";
/** Plain SQL for the whole server; not there where the role may not read it. */
export const globalsFile = "globals.sql";

export const dumpVersion = 1;
