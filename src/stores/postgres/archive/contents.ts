/** The head of a pg_dump archive: its header and table of contents (`pg_backup_archiver.c`, ReadHead and ReadToc). */
import { MemkeepError } from "../../../domain/errors.ts";
import { ByteReader, NeedMore } from "./bytes.ts";

export interface ArchiveEntry {
  readonly id: number;
  /** Whether data of this entry follows the table of contents. */
  readonly hasData: boolean;
  /** Of the object, in the database that was dumped; 0 for none. */
  readonly oid: number;
  readonly tag: string;
  /** `TABLE`, `TABLE DATA`, `SEQUENCE SET`, `INDEX`, … */
  readonly type: string;
  readonly definition: string;
  /** The statement that drops it; empty for what cannot be dropped by itself. */
  readonly drop: string;
  readonly copy: string;
  readonly schema: string;
  readonly tablespace: string;
  readonly owner: string;
  readonly dependsOn: readonly number[];
}

export interface ArchiveContents {
  /** 1014 for 1.14. */
  readonly version: number;
  readonly intSize: number;
  readonly database: string;
  /** As the server said it. */
  readonly serverVersion: string;
  /** Version of the pg_dump that wrote it; pg_restore must not be older. */
  readonly toolVersion: string;
  readonly entries: readonly ArchiveEntry[];
  /** Bytes before the first data. */
  readonly sizeBytes: number;
}

const oldest = 1014;
const newest = 1016;
const customFormat = 1;

/** Undefined when `bytes` ends before the table of contents does. `STORE_UNREADABLE` when it is no archive that we know. */
export function readContents(bytes: Buffer): ArchiveContents | undefined {
  try {
    return parse(new ByteReader(bytes));
  } catch (error) {
    if (error instanceof NeedMore) return undefined;
    throw error;
  }
}

function parse(reader: ByteReader): ArchiveContents {
  if (reader.take(5).toString("latin1") !== "PGDMP") throw unreadable("it does not begin with PGDMP");
  const version = reader.byte() * 1000 + reader.byte();
  reader.byte();
  reader.intSize = reader.byte();
  const offsetSize = reader.byte();
  const format = reader.byte();
  if (version < oldest || version > newest) throw unreadable(`its format has the version ${version / 1000}`);
  if (format !== customFormat) throw unreadable("it is not in the custom format");
  const compression = version >= 1015 ? reader.byte() : reader.int();
  if (compression !== 0) throw unreadable("it is compressed");
  // The time at which it was made: second, minute, hour, day, month, year, summer time.
  for (let field = 0; field < 7; field++) reader.int();
  const database = reader.string() ?? "";
  const serverVersion = reader.string() ?? "";
  const toolVersion = reader.string() ?? "";
  const count = reader.int();
  const entries: ArchiveEntry[] = [];
  for (let number = 0; number < count; number++) entries.push(parseEntry(reader, version, offsetSize));
  return {
    version,
    intSize: reader.intSize,
    database,
    serverVersion,
    toolVersion,
    entries,
    sizeBytes: reader.at,
  };
}

function parseEntry(reader: ByteReader, version: number, offsetSize: number): ArchiveEntry {
  const id = reader.int();
  const hasData = reader.int() !== 0;
  reader.string();
  const oid = Number(reader.string() ?? "0");
  const tag = reader.string() ?? "";
  const type = reader.string() ?? "";
  reader.int();
  const definition = reader.string() ?? "";
  const drop = reader.string() ?? "";
  const copy = reader.string() ?? "";
  const schema = reader.string() ?? "";
  const tablespace = reader.string() ?? "";
  reader.string();
  if (version >= 1016) reader.int();
  const owner = reader.string() ?? "";
  reader.string();
  const dependsOn: number[] = [];
  for (let id = reader.string(); id !== undefined; id = reader.string()) dependsOn.push(Number(id));
  // Where the data begins: never set in an archive that was written to a pipe.
  reader.take(1 + offsetSize);
  return { id, hasData, oid, tag, type, definition, drop, copy, schema, tablespace, owner, dependsOn };
}

export function unreadable(happened: string): MemkeepError {
  return new MemkeepError("STORE_UNREADABLE", { tried: "read a pg_dump archive", happened });
}
