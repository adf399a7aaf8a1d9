/**
 * The one place that decides how a file is cut and how hard its chunks are compressed. A change here loses all
 * deduplication against older snapshots, so an entry is never changed, only replaced under a new name: the name is
 * recorded with every file.
 */
import type { FileKind } from "../../../domain/manifest.ts";
import { type Cutter, createBlockCutter, createGearCutter } from "./cutter.ts";

export interface ChunkPolicy {
  /** As it stands in the manifest. */
  readonly name: string;
  readonly cutter: Cutter;
  /** zstd level. */
  readonly level: number;
}

const KiB = 1024;

/** How new files of a kind are cut. */
const cutOf: Readonly<Record<FileKind, string>> = {
  // SQLite changes pages in place; fixed blocks store half of what content-defined chunks store, and a rolling hash
  // degenerates on runs of zeros.
  pages: "blocks-16k",
  // Rows of random bits. Small chunks, since one changed row makes a whole chunk new.
  vectors: "gear-8k",
  // 16 KiB stores a tenth of what restic's 1 MiB stores again when 1 % of the records change.
  records: "gear-16k",
  archive: "gear-16k",
  document: "gear-16k",
};

/**
 * The policy for a file of a kind. `kept` is the name that the parent snapshot records for the same file: it stays as long as
 * this version knows it, whatever new files of the kind get, since another cut would store the whole file again. There
 * is no size at which a file outgrows it: each named policy already grows its average with the place in the file
 * (`averageShift`), which moves no cut of what was stored before.
 */
export function chunkPolicy(kind: FileKind, gear: Int32Array, kept?: string): ChunkPolicy {
  const ofKept = kept === undefined ? undefined : cutterOf(kept, gear);
  const name = ofKept ? kept! : cutOf[kind];
  return { name, cutter: ofKept ?? cutterOf(name, gear)!, level: levelOf(kind) };
}

/**
 * Level 1 for whatever is large. In chunks of 16 KiB a higher level finds little: level 3 stores 6 % *more* of JSON with decimals
 * at half the speed, 1 % less of prose at three quarters, 1 % less of SQLite pages at two thirds, and nothing less of
 * floats. It may change at any time, since it moves no cut.
 */
function levelOf(kind: FileKind): number {
  return kind === "document" ? 3 : 1;
}

/** Undefined for a name of another version, or of another program's making. */
function cutterOf(name: string, gear: Int32Array): Cutter | undefined {
  switch (name) {
    case "blocks-16k":
      return createBlockCutter(16 * KiB);
    case "gear-8k":
      return createGearCutter(gear, 8 * KiB);
    case "gear-16k":
      return createGearCutter(gear, 16 * KiB);
    default:
      return undefined;
  }
}

/** No policy cuts a longer chunk: what a buffer must be able to hold. */
export const longestChunkBytes: number = (16 * KiB * 4) << 2;
