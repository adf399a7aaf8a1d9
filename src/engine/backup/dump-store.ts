/** Dumps one open view into the snapshot and gives the store's part of the manifest. */
import { amountText } from "../../domain/words.ts";
import { MemkeepError } from "../../domain/errors.ts";
import type { DumpFile, StoreManifest } from "../../domain/manifest.ts";
import type { Observer } from "../../domain/observer.ts";
import type { SnapshotWriter } from "../../repository/repository.ts";
import type { DumpSink, StoreDescription, View } from "../../stores/store.ts";

export interface DumpParts {
  readonly name: string;
  readonly kind: string;
  readonly description: StoreDescription;
  readonly view: View;
  readonly writer: SnapshotWriter;
  /** The same store in the snapshot before. */
  readonly before: StoreManifest | undefined;
  readonly observer: Observer;
  readonly signal: AbortSignal;
}

/** Rejects when the dump is not complete; the snapshot must then not be committed (law 4). */
export async function dumpStore(parts: DumpParts): Promise<StoreManifest> {
  const { name, kind, description, view, writer } = parts;
  const files: DumpFile[] = [];
  let doneBytes = 0;
  const sink: DumpSink = {
    async file(fileName, fileKind, bytes) {
      const path = `${name}/${fileName}`;
      const cut = parts.before?.files.find((file) => file.path === path)?.cut;
      const saved = await writer.save(path, fileKind, counted(bytes), cut);
      files.push({ path, kind: fileKind, ...saved });
      return saved;
    },
  };
  async function* counted(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of bytes) {
      parts.signal.throwIfAborted();
      yield piece;
      doneBytes += piece.length;
      parts.observer.progress(name, doneBytes, description.estimatedBytes, "bytes");
    }
  }
  const facts = await view.dump(sink);
  if (files.length === 0) {
    throw new MemkeepError("DUMP_INCOMPLETE", { tried: `dump ${name}`, happened: "it gave no files" });
  }
  return {
    ...facts,
    kind,
    source: description.source,
    files,
    view: { instant: view.instant, consistency: view.consistency, moved: facts.view.moved },
  };
}

/** Law 3: a store that had records at its last snapshot and has none now is an error, never a snapshot. */
export function refuseSuddenlyEmpty(
  name: string,
  now: StoreManifest,
  before: StoreManifest | undefined,
): void {
  const recordsNow = countRecords(now);
  const recordsBefore = before ? countRecords(before) : 0;
  if (recordsNow > 0 || recordsBefore === 0) return;
  throw new MemkeepError("STORE_EMPTY", {
    tried: `back up ${name}`,
    happened: `it is empty, and had ${amountText(recordsBefore, "record")} at its last snapshot (${before!.view.instant})`,
    next: "If that is right, run the backup with --allow-empty. If not, `memkeep restore latest` shows what would come back.",
  });
}

export function countRecords(store: Pick<StoreManifest, "collections">): number {
  return store.collections.reduce((sum, collection) => sum + collection.records, 0);
}
