/**
 * Copies snapshots from one repository into another. Blobs and trees stay as they are, as with restic's own `copy`: what is
 * there already is not sent. The order of writes is that of a backup: packs, index, then the snapshot files that need them.
 */
import { MemkeepError, reasonOf } from "../../../domain/errors.ts";
import type { CopiedSnapshot, CopyResult, OnCopied, Repository, SnapshotInfo } from "../../repository.ts";
import { sameAmong } from "../../same-point.ts";
import { asDamage } from "../check/as-damage.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import { type LoadedIndex, wholeIndex } from "../index/load-index.ts";
import { PackContents } from "../index/pack-contents.ts";
import type { HeldLock } from "../lock/lock.ts";
import { mustLoadSnapshot } from "../objects/load-snapshots.ts";
import type { LoadedSnapshot } from "../objects/snapshot-info.ts";
import { PackWriter } from "../pipeline/pack-writer.ts";
import { transferBlobs } from "../pipeline/transfer-blobs.ts";
import { permission, type Premises } from "../premises.ts";
import { goJson } from "../tree/go-json.ts";
import { Bitmap } from "../use/bitmap.ts";
import { eachTree, findTree, type TreeParts } from "../use/read-trees.ts";

/** Snapshots wait for each other until so much is to be copied: neither small packs for each, nor long work lost by a crash. */
const batchBytes = 256 * 2 ** 20;

/** A repository, as far as a copy needs it: where snapshots come from, or where they go. */
export interface CopySide extends Premises, Pick<Repository, "id" | "location" | "snapshots" | "guard"> {
  lock(options: { exclusive: boolean; purpose?: string }): Promise<HeldLock>;
  index(): Promise<LoadedIndex>;
  forgetIndex(): void;
}

interface Copying {
  readonly source: CopySide;
  readonly from: BlobIndex;
  readonly contents: PackContents;
  readonly to: BlobIndex;
  readonly trees: TreeParts;
  readonly target: CopySide;
  readonly writer: PackWriter;
  readonly keyNumber: number;
  readonly mayWrite: () => Promise<void>;
}

/** As `Repository.copyFrom` says. A shared lock on both sides; on the target only one copy at a time. */
export async function copySnapshots(
  source: CopySide,
  target: CopySide,
  ids: readonly string[],
  onCopied: OnCopied = () => undefined,
): Promise<CopyResult> {
  if (source.id === target.id) {
    throw new MemkeepError("USAGE", {
      tried: `copy snapshots to ${target.location}`,
      happened: "it is the repository that they lie in",
      next: "Name two repositories.",
    });
  }
  await using _guard = await source.guard();
  await using lock = await target.lock({ exclusive: false, purpose: "memkeep:copy" });
  // Listed before the indexes are read, so that all blobs of a listed snapshot are in them.
  const find = sameAmong(await target.snapshots(() => undefined));
  const snapshots: CopiedSnapshot[] = [];
  const wanted: LoadedSnapshot[] = [];
  for (const id of ids) {
    try {
      const loaded = await mustLoadSnapshot(source.objects, id);
      const there = find(loaded.info);
      if (there) snapshots.push({ source: id, result: "there", snapshot: there.id });
      else wanted.push(loaded);
    } catch (error) {
      snapshots.push(damagedSnapshot(id, error));
    }
  }
  wanted.sort((a, b) => a.info.timeMs - b.info.timeMs);
  if (wanted.length === 0) return { snapshots, addedBytes: 0 };
  for (const repository of [source, target]) repository.forgetIndex();
  const { index: from } = await source.index();
  const to = wholeIndex(await target.index());
  const workers = source.workers();
  const mayWrite = permission(target, lock);
  const { storage, sealer, objects, clock } = target;
  const writer = new PackWriter({
    storage,
    sealer,
    objects,
    index: to,
    clock,
    digest: (input, length) => workers.digest(input, length),
    mayWrite,
  });
  const copying: Copying = {
    source,
    from,
    contents: new PackContents(from),
    to,
    trees: { storage: source.storage, index: from, workers, signal: source.signal },
    target,
    writer,
    keyNumber: workers.addKey(target.key),
    mayWrite,
  };
  try {
    let batch: LoadedSnapshot[] = [];
    let needs = new Needs(copying);
    for (const [number, snapshot] of wanted.entries()) {
      batch.push(snapshot);
      await needs.add(snapshot);
      if (needs.bytes < batchBytes && number + 1 < wanted.length) continue;
      await transfer(copying, needs);
      for (const one of batch) snapshots.push(await finish(copying, one, needs.complete));
      onCopied(number + 1);
      batch = [];
      needs = new Needs(copying);
    }
  } catch (error) {
    // What is stored already is indexed, so that the next copy need not send it again.
    await Promise.allSettled([writer.abandon()]);
    throw error;
  }
  return { snapshots, addedBytes: writer.addedPackedBytes };
}

/** What the snapshots of a batch need and the target lacks. */
class Needs {
  readonly entries: Bitmap;
  readonly #seen: Bitmap;
  readonly #copying: Copying;
  bytes = 0;
  /** False once something in the batch is known to be missing or damaged: then each snapshot is looked through by itself. */
  complete = true;

  constructor(copying: Copying) {
    this.#copying = copying;
    this.entries = new Bitmap(copying.from.size);
    this.#seen = new Bitmap(copying.from.size);
  }

  async add({ tree }: LoadedSnapshot): Promise<void> {
    const { from, trees } = this.#copying;
    const root = findTree(from, tree);
    this.#need(root);
    if (root < 0) return;
    const onDamaged = (): void => void (this.complete = false);
    for await (const { nodes } of eachTree({ ...trees, onDamaged }, [root], this.#seen)) {
      for (const node of nodes) {
        if (node.type === "dir") this.#need(findTree(from, node.subtree));
        if (node.type !== "file") continue;
        const ids = node.content.bytes;
        for (let at = 0; at < ids.length; at += 32) this.#need(from.find(ids, at, "data"));
      }
    }
  }

  #need(entry: number): void {
    const { from, to } = this.#copying;
    if (entry < 0) {
      this.complete = false;
      return;
    }
    if (to.find(from.id(entry), 0, from.type(entry)) >= 0 || !this.entries.add(entry)) return;
    this.bytes += from.lengthOf(entry);
  }
}

async function transfer(copying: Copying, needs: Needs): Promise<void> {
  const { source, from, contents, to, writer, keyNumber } = copying;
  const parts = {
    storage: source.storage,
    index: from,
    workers: source.workers(),
    sealWith: keyNumber,
    writer,
    written: to,
  };
  const damaged: number[] = [];
  function* wanted(): Generator<number[]> {
    for (let pack = 0; pack < contents.packCount; pack++) {
      const entries = Array.from(contents.entriesOf(pack)).filter((entry) => needs.entries.has(entry));
      if (entries.length > 0) yield entries;
    }
  }
  await transferBlobs(parts, wanted(), (entry) => damaged.push(entry));
  // A blob may lie in a second pack, whole.
  const others = damaged.flatMap((entry) => from.copies(entry).filter((copy) => copy !== entry));
  await transferBlobs(
    parts,
    others.map((entry) => [entry]),
    () => undefined,
  );
  if (damaged.length > 0) needs.complete = false;
  await writer.flush();
}

/** Writes the snapshot file, or says why not. */
async function finish(
  copying: Copying,
  snapshot: LoadedSnapshot,
  complete: boolean,
): Promise<CopiedSnapshot> {
  const { source, target, mayWrite } = copying;
  const { id } = snapshot.info;
  try {
    if (!complete) await assertThere(copying, snapshot);
  } catch (error) {
    return damagedSnapshot(id, error);
  }
  const json = copyOf(await source.objects.load("snapshots", id), snapshot.info);
  await mayWrite();
  return { source: id, result: "copied", snapshot: await target.objects.save("snapshots", json) };
}

/** `REPOSITORY_DAMAGED` unless the target has every blob of the snapshot. */
async function assertThere({ from, to, trees }: Copying, { tree }: LoadedSnapshot): Promise<void> {
  const missing = (what: string): MemkeepError =>
    new MemkeepError("REPOSITORY_DAMAGED", {
      tried: "copy it",
      happened: `${what} is damaged or missing where it comes from`,
      next: "Run `memkeep repository check --data` there, then `memkeep repository repair`.",
    });
  const root = findTree(from, tree);
  if (root < 0 || findTree(to, tree) < 0) throw missing("its first folder");
  for await (const { nodes } of eachTree(trees, [root])) {
    for (const node of nodes) {
      if (node.type === "dir" && (findTree(from, node.subtree) < 0 || findTree(to, node.subtree) < 0))
        throw missing(`the folder ${node.name}`);
      if (node.type !== "file") continue;
      const ids = node.content.bytes;
      for (let at = 0; at < ids.length; at += 32) {
        if (to.find(ids, at, "data") < 0) throw missing(`a chunk of ${node.name}`);
      }
    }
  }
}

/** The snapshot file as restic's `copy` makes it: no parent, which means nothing elsewhere, and the id that it first had. */
function copyOf(json: Buffer, { original }: SnapshotInfo): string {
  const { parent: _parent, ...file } = JSON.parse(json.toString("utf8")) as Record<string, unknown>;
  const { program_version: program, summary, ...before } = file;
  return goJson({
    ...before,
    original,
    ...(program === undefined ? {} : { program_version: program }),
    ...(summary === undefined ? {} : { summary }),
  });
}

/** What says nothing of what is stored, such as a place that does not answer, ends the copy. */
function damagedSnapshot(source: string, error: unknown): CopiedSnapshot {
  return { source, result: "damaged", text: reasonOf(asDamage(error)) };
}
