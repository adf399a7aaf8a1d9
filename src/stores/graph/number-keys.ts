import type { RecordSorter } from "../format/sort.ts";
import type { KeyTable } from "./key-table.ts";

/** Nodes of one key are told apart by their place among each other: the sorter's order, ties by internal id. */
export async function numberEqualKeys(nodes: RecordSorter, keys: KeyTable): Promise<void> {
  let before: Buffer | undefined;
  let ordinal = 0;
  for await (const batch of nodes.keys()) {
    for (const { key, tie } of batch) {
      ordinal = before?.equals(key) === true ? ordinal + 1 : 0;
      if (ordinal > 0) keys.setOrdinal(tie, ordinal);
      before = key;
    }
  }
}
