/** Reads the rows of one table out of a dump's archive, without the others. */
import type { DumpSource } from "../store.ts";
import { damaged } from "../format/damaged.ts";
import { RowDigester } from "./archive/digest-rows.ts";
import { rowShape, unescapeCopy } from "./canonical-row.ts";
import { archiveFile } from "./dump-files.ts";
import type { TableEntry } from "./tables-file.ts";
import type { Row } from "./write-rows.ts";

const newline = 10;
const nothing = Buffer.from(String.raw`\N`);
const end = Buffer.from(String.raw`\.`);

/**
 * All rows of a table, as texts. After the last one `DUMP_DAMAGED` when they are not those that the manifest says, so
 * what was done with them must still be undoable. `intSize` is the archive's.
 */
export async function* readTable(
  source: DumpSource,
  table: TableEntry,
  intSize: number,
): AsyncGenerator<Row> {
  const { name, columns, integers, key } = table;
  const shape = rowShape(
    columns.map((column) => ({ name: column, isInteger: integers.includes(column) })),
    key,
  );
  const digester = new RowDigester(name, shape);
  let cut: Buffer[] = [];
  let isEnded = false;
  for await (const bytes of blockData(source, table, intSize)) {
    digester.data(bytes, 0, bytes.length);
    let from = 0;
    for (let at = bytes.indexOf(newline); at >= 0 && !isEnded; at = bytes.indexOf(newline, from)) {
      const line = Buffer.concat([...cut, bytes.subarray(from, at)]);
      cut = [];
      from = at + 1;
      isEnded = line.equals(end);
      if (!isEnded) yield rowOf(line, table);
    }
    if (!isEnded) cut.push(bytes.subarray(from));
  }
  digester.end();
  const expected = source.manifest.collections.find((facts) => facts.name === name);
  if (digester.facts().contentDigest !== expected?.contentDigest)
    throw damaged(archiveFile, `the rows of ${name} are not those that the manifest says`);
}

function rowOf(line: Buffer, { name, columns }: TableEntry): Row {
  const row: Record<string, string | null> = {};
  let from = 0;
  for (const column of columns) {
    if (from > line.length) throw damaged(archiveFile, `a row of ${name} has too few columns`);
    const tab = line.indexOf(9, from);
    const text = line.subarray(from, tab < 0 ? line.length : tab);
    row[column] = text.equals(nothing) ? null : unescapeCopy(text).toString("utf8");
    from += text.length + 1;
  }
  return row;
}

/** The data of a table's block: a byte, the entry's id, then pieces of a length and as many bytes, ended by a length of 0. */
async function* blockData(
  source: DumpSource,
  { name, offset, sizeBytes }: TableEntry,
  intSize: number,
): AsyncGenerator<Buffer> {
  const integer = 1 + intSize;
  let rest: Buffer = Buffer.alloc(0);
  let head = 1 + integer;
  let left = 0;
  for await (const part of source.read(archiveFile, { offset, length: sizeBytes })) {
    rest = rest.length === 0 ? Buffer.from(part) : Buffer.concat([rest, part]);
    for (;;) {
      if (head > 0) {
        if (rest.length < head) break;
        rest = rest.subarray(head);
        head = 0;
      }
      if (left === 0) {
        if (rest.length < integer) break;
        left = rest.readUIntLE(1, Math.min(intSize, 6));
        rest = rest.subarray(integer);
        if (left === 0) return;
      }
      if (rest.length === 0) break;
      const piece = rest.subarray(0, left);
      left -= piece.length;
      rest = rest.subarray(piece.length);
      yield piece;
    }
  }
  throw damaged(archiveFile, `the block of ${name} is cut off`);
}
