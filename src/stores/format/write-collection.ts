/** Writes one sorted collection as dump files: its lines, then its vectors. */
import type { DumpSink } from "../store.ts";
import type { CollectionFiles, VectorFile } from "./layout.ts";
import { npyFile } from "./npy.ts";
import type { RecordSorter } from "./sort.ts";

/**
 * Writes `<stem>.jsonl`, and `<stem>.v1.npy` and so on for each field and shape of vectors. Gives what `schema.json` must
 * say about them. Counts and digests are `sorter.facts`.
 */
export async function writeCollection(
  sink: DumpSink,
  sorter: RecordSorter,
  name: string,
  stem: string,
): Promise<CollectionFiles> {
  const file = `${stem}.jsonl`;
  await sink.file(file, "records", sorter.lines());
  const vectors: VectorFile[] = [];
  for (const group of sorter.vectorGroups) {
    const { field, type, columns, rows } = group;
    const vectorFile = `${stem}.v${vectors.length + 1}.npy`;
    await sink.file(vectorFile, "vectors", npyFile(group, sorter.vectors(group)));
    vectors.push({ file: vectorFile, field, type, columns, rows });
  }
  return { name, file, records: sorter.count, vectors };
}
