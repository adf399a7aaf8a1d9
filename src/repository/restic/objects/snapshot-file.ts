/** The snapshot file: restic's own JSON. What is memkeep's lies in tags and in the manifest inside the tree, since restic drops unknown fields when it rewrites a snapshot. */
import { z } from "zod";
import { goJson, goTime } from "../tree/go-json.ts";

const Id = z.string().regex(/^[0-9a-f]{64}$/);

/** Read leniently: other writers leave fields out or add some. */
export const SnapshotFile = z.object({
  time: z.string(),
  parent: Id.nullish(),
  tree: Id,
  paths: z.array(z.string()).nullish(),
  hostname: z.string().nullish(),
  username: z.string().nullish(),
  uid: z.number().nullish(),
  gid: z.number().nullish(),
  excludes: z.array(z.string()).nullish(),
  tags: z.array(z.string()).nullish(),
  original: Id.nullish(),
  program_version: z.string().nullish(),
  summary: z
    .object({
      total_bytes_processed: z.number().nullish(),
      data_added: z.number().nullish(),
      data_added_packed: z.number().nullish(),
      total_files_processed: z.number().nullish(),
    })
    .nullish(),
});
export type SnapshotFile = z.infer<typeof SnapshotFile>;

export interface NewSnapshot {
  readonly timeMs: number;
  readonly parent: string | undefined;
  readonly tree: string;
  readonly path: string;
  readonly hostname: string;
  readonly username: string;
  readonly uid: number;
  readonly gid: number;
  readonly tags: readonly string[];
  /** What its likes in other repositories have too. */
  readonly original?: string;
  readonly programVersion: string;
  readonly summary: {
    readonly startedMs: number;
    readonly finishedMs: number;
    readonly files: number;
    readonly directories: number;
    readonly dataBlobs: number;
    readonly treeBlobs: number;
    /** Plain bytes of new blobs. */
    readonly addedBytes: number;
    /** Bytes that new blobs take in packs. */
    readonly addedPackedBytes: number;
    readonly processedBytes: number;
  };
}

/** The file's JSON, in restic's field order. */
export function encodeSnapshot(snapshot: NewSnapshot): string {
  const { summary } = snapshot;
  return goJson({
    time: goTime(snapshot.timeMs),
    ...(snapshot.parent === undefined ? {} : { parent: snapshot.parent }),
    tree: snapshot.tree,
    paths: [snapshot.path],
    hostname: snapshot.hostname,
    username: snapshot.username,
    uid: snapshot.uid,
    gid: snapshot.gid,
    tags: snapshot.tags,
    ...(snapshot.original === undefined ? {} : { original: snapshot.original }),
    program_version: snapshot.programVersion,
    summary: {
      backup_start: goTime(summary.startedMs),
      backup_end: goTime(summary.finishedMs),
      files_new: summary.files,
      files_changed: 0,
      files_unmodified: 0,
      dirs_new: summary.directories,
      dirs_changed: 0,
      dirs_unmodified: 0,
      data_blobs: summary.dataBlobs,
      tree_blobs: summary.treeBlobs,
      data_added: summary.addedBytes,
      data_added_packed: summary.addedPackedBytes,
      total_files_processed: summary.files,
      total_bytes_processed: summary.processedBytes,
    },
  });
}
