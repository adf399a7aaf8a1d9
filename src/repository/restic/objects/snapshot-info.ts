/** From restic's snapshot file to what memkeep tells of a snapshot. */
import { hash } from "node:crypto";
import { MemkeepError } from "../../../domain/errors.ts";
import type { SnapshotInfo } from "../../repository.ts";
import { runOf, safetyTag, stackOf, storesOf } from "../snapshot-paths.ts";
import { SnapshotFile } from "./snapshot-file.ts";

export interface LoadedSnapshot {
  readonly info: SnapshotInfo;
  readonly tree: string;
}

/** `REPOSITORY_DAMAGED` when the JSON is no snapshot. */
export function readSnapshot(id: string, json: Buffer): LoadedSnapshot {
  let file: SnapshotFile;
  try {
    file = SnapshotFile.parse(JSON.parse(json.toString("utf8")));
  } catch (cause) {
    throw damaged(id, "it is not what a snapshot looks like", cause);
  }
  const timeMs = Date.parse(file.time);
  if (Number.isNaN(timeMs)) throw damaged(id, `its time is ${JSON.stringify(file.time)}`);
  const tags = file.tags ?? [];
  return {
    tree: file.tree,
    info: {
      id,
      time: file.time,
      timeMs,
      stack: stackOf(tags),
      stores: storesOf(tags),
      paths: file.paths ?? [],
      hostname: file.hostname ?? "",
      username: file.username ?? "",
      tags,
      program: file.program_version ?? "",
      safety: tags.includes(safetyTag),
      readBytes: file.summary?.total_bytes_processed ?? undefined,
      addedBytes: file.summary?.data_added_packed ?? undefined,
      run: stackOf(tags) === undefined ? undefined : runOf(tags),
      original: file.original ?? id,
      likeness: likenessOf(file, timeMs),
    },
  };
}

/** What restic's own `copy` compares before it takes two snapshots for one (`similarSnapshots` in its `cmd_copy.go`). */
function likenessOf(file: SnapshotFile, timeMs: number): string {
  const { tree, hostname, username, uid, gid, paths, excludes, tags } = file;
  const fraction = /\.(\d+)/.exec(file.time)?.[1]?.replace(/0+$/, "") ?? "";
  const time = `${Math.floor(timeMs / 1000)}.${fraction}`;
  const all = [time, tree, hostname ?? "", username ?? "", uid ?? 0, gid ?? 0, paths ?? [], excludes ?? []];
  return hash("sha256", JSON.stringify([...all, tags ?? []]));
}

function damaged(id: string, happened: string, cause?: unknown): MemkeepError {
  return new MemkeepError("REPOSITORY_DAMAGED", {
    tried: `read snapshot ${id.slice(0, 8)}`,
    happened,
    cause,
    details: { snapshot: id },
  });
}
