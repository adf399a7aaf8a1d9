/**
 * The gear table of a repository. It is derived from the repository's secret `chunker_polynomial`, so that the
 * sizes of chunks tell an outsider nothing about known content, and so that repositories which share the
 * polynomial (all those of one configuration) cut every file in the same places.
 */
import { createHash } from "node:crypto";

/** 256 pseudo-random 32-bit words. The derivation is frozen: another one would deduplicate nothing against old snapshots. */
export function gearTable(polynomial: string): Int32Array {
  const table = new Int32Array(256);
  for (let block = 0; block < 32; block++) {
    const digest = createHash("sha256").update(`memkeep gear v1 ${polynomial} ${block}`).digest();
    for (let word = 0; word < 8; word++) table[block * 8 + word] = digest.readInt32BE(word * 4);
  }
  return table;
}
