/** Writes one snapshot to one or several repositories. */
import { randomBytes } from "node:crypto";
import type { FileKind } from "../../domain/manifest.ts";
import { MemkeepError } from "../../domain/errors.ts";
import type { NewSnapshotOptions, SavedFile, SnapshotWriter, WriteOutcome } from "../repository.ts";
import type { Clock } from "../../util/clock/clock.ts";
import { noneLeft, type RepositoryFailure } from "../none-left.ts";
import { chunkPolicy } from "./chunking/policy.ts";
import type { HeldLock } from "./lock/lock.ts";
import { encodeSnapshot } from "./objects/snapshot-file.ts";
import { readSnapshot } from "./objects/snapshot-info.ts";
import type { Objects } from "./objects/objects.ts";
import { splitStream } from "./pipeline/split-stream.ts";
import type { SavedStream, StreamSaver } from "./pipeline/stream-saver.ts";
import { snapshotHost, snapshotPath, snapshotTags } from "./snapshot-paths.ts";
import type { DirectoryNode, NewFileNode, NodeStamp } from "./tree/node.ts";
import { saveTree, type TreeTarget } from "./tree/save-tree.ts";

/** One repository that the snapshot goes to, with the lock that is held on it. */
export interface WriteTarget extends TreeTarget {
  readonly location: string;
  readonly objects: Objects;
  readonly lock: HeldLock;
  readonly parent: string | undefined;
}

/** Repositories that share a polynomial: for all of them a file is cut once, and its tree is the same. */
export interface Lane {
  readonly targets: readonly WriteTarget[];
  readonly saver: StreamSaver;
  readonly gear: Int32Array;
}

/** A repository that the snapshot could not be begun in. */
export interface FailedTarget {
  readonly location: string;
  readonly failure: Error;
}

export interface SnapshotWriterParts {
  readonly lanes: readonly Lane[];
  /** Every repository, in the order given: a target of some lane, or why it takes no part. */
  readonly participants: readonly (WriteTarget | FailedTarget)[];
  readonly clock: Clock;
  readonly program: string;
  readonly options: NewSnapshotOptions;
}

/** A folder of the snapshot under construction. */
interface Folder {
  readonly folders: Map<string, Folder>;
  /** What each lane saved, by its number; nothing where it had failed. */
  readonly files: Map<string, readonly (SavedStream | undefined)[]>;
}

export class ResticSnapshotWriter implements SnapshotWriter {
  readonly #parts: SnapshotWriterParts;
  readonly #root: Folder = newFolder();
  readonly #startedMs: number;
  #files = 0;
  #processedBytes = 0;
  #ended = false;
  /**
   * One snapshot in several repositories has another id in each, since each names its own parent. restic's `copy` takes for one
   * what has one original: an id that is no repository's own, and that restic never looks up.
   */
  readonly #original: string | undefined;

  constructor(parts: SnapshotWriterParts) {
    this.#parts = parts;
    this.#startedMs = parts.clock.now();
    this.#original = parts.participants.length > 1 ? randomBytes(32).toString("hex") : undefined;
  }

  async save(
    path: string,
    kind: FileKind,
    bytes: AsyncIterable<Uint8Array>,
    parentCut?: string,
  ): Promise<SavedFile> {
    const segments = path.split("/");
    if (!segments.every((segment) => /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/.test(segment))) {
      throw new MemkeepError("STORE_UNSUPPORTED", {
        tried: `store the dump file ${JSON.stringify(path)}`,
        happened: "its name has characters that not every reader keeps",
      });
    }
    const lanes = await this.#saveInLanes(bytes, kind, parentCut);
    const stream = lanes.find((saved) => saved !== undefined)!;
    const name = segments.pop()!;
    let folder = this.#root;
    for (const segment of [...this.#path().slice(1).split("/"), ...segments])
      folder = subfolder(folder, segment);
    folder.files.set(name, lanes);
    this.#files++;
    this.#processedBytes += stream.sizeBytes;
    const cut = chunkPolicy(kind, this.#parts.lanes[0]!.gear, parentCut).name;
    return { sizeBytes: stream.sizeBytes, sha256: stream.sha256, cut };
  }

  async commit(timeMs: number, stores: readonly string[]): Promise<readonly WriteOutcome[]> {
    this.#ended = true;
    const stamp = this.#stamp(timeMs);
    const outcomes = new Map<unknown, WriteOutcome>();
    await Promise.all(
      this.#parts.lanes.map(async (lane, number) => {
        const directories = { count: 0 };
        const tree = isAlive(lane) ? await this.#saveFolder(this.#root, number, stamp, directories) : "";
        await Promise.all(
          lane.targets.map(async (target) => {
            const outcome = await this.#commitTo(target, tree, stamp, directories.count, stores);
            outcomes.set(target, await released(target, outcome));
          }),
        );
      }),
    );
    return this.#parts.participants.map(
      (participant) => outcomes.get(participant) ?? { ok: false, error: participant.failure! },
    );
  }

  async abandon(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const targets = this.#parts.lanes.flatMap((lane) => lane.targets);
    await Promise.allSettled(
      targets.map(async ({ writer, lock }) => {
        await Promise.allSettled([writer.abandon()]);
        await lock[Symbol.asyncDispose]();
      }),
    );
  }

  /** Reads the source once. What is saved, by the number of the lane; rejects when the source does, or when no lane is left. */
  async #saveInLanes(
    bytes: AsyncIterable<Uint8Array>,
    kind: FileKind,
    parentCut: string | undefined,
  ): Promise<readonly (SavedStream | undefined)[]> {
    const { lanes, participants } = this.#parts;
    const alive = lanes.filter(isAlive);
    if (alive.length === 0) throw noneLeft(failuresOf(participants));
    const parts = alive.length === 1 ? [bytes] : splitStream(bytes, alive.length);
    const results = await Promise.allSettled(
      alive.map((lane, number) => lane.saver.save(parts[number]!, chunkPolicy(kind, lane.gear, parentCut))),
    );
    const saved = new Map<Lane, SavedStream>();
    for (const [number, result] of results.entries()) {
      const lane = alive[number]!;
      if (result.status === "fulfilled") saved.set(lane, result.value);
      // A lane whose repositories are well failed because of the source, or of the machine.
      else if (isAlive(lane)) throw result.reason;
    }
    if (saved.size === 0) throw noneLeft(failuresOf(participants));
    return lanes.map((lane) => saved.get(lane));
  }

  #path(): string {
    return snapshotPath(this.#parts.options.stack, this.#parts.options.safety !== undefined);
  }

  #stamp(timeMs: number): NodeStamp {
    // The running user, not root: restic as root would give restored files to the stamp's owner.
    return {
      timeMs,
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
    };
  }

  async #saveFolder(
    folder: Folder,
    lane: number,
    stamp: NodeStamp,
    directories: { count: number },
  ): Promise<string> {
    const nodes: (NewFileNode | DirectoryNode)[] = [];
    for (const [name, child] of folder.folders) {
      directories.count++;
      nodes.push({ type: "dir", name, subtree: await this.#saveFolder(child, lane, stamp, directories) });
    }
    for (const [name, lanes] of folder.files) {
      const { sizeBytes, content } = lanes[lane]!;
      nodes.push({ type: "file", name, sizeBytes, content });
    }
    return saveTree(nodes, stamp, this.#parts.lanes[lane]!.targets);
  }

  /** Packs, then index, then the snapshot file: a crash before the last leaves nothing but bytes for the next prune. */
  async #commitTo(
    target: WriteTarget,
    tree: string,
    stamp: NodeStamp,
    directories: number,
    stores: readonly string[],
  ): Promise<WriteOutcome> {
    const { writer } = target;
    try {
      if (target.failure) throw target.failure;
      await writer.flush();
      await target.lock.assertHeld();
      const { options, clock, program } = this.#parts;
      const json = encodeSnapshot({
        timeMs: stamp.timeMs,
        parent: target.parent,
        tree,
        path: this.#path(),
        hostname: snapshotHost,
        username: "memkeep",
        uid: stamp.uid,
        gid: stamp.gid,
        tags: snapshotTags(options.stack, options.run, stores, options.tags, options.safety),
        ...(this.#original === undefined ? {} : { original: this.#original }),
        programVersion: program,
        summary: {
          startedMs: this.#startedMs,
          finishedMs: clock.now(),
          files: this.#files,
          directories,
          dataBlobs: writer.blobs.data,
          treeBlobs: writer.blobs.tree,
          addedBytes: writer.addedBytes,
          addedPackedBytes: writer.addedPackedBytes,
          processedBytes: this.#processedBytes,
        },
      });
      const id = await target.objects.save("snapshots", json);
      return { ok: true, snapshot: readSnapshot(id, Buffer.from(json)).info };
    } catch (error) {
      // What is stored already is indexed, so that the next run need not store it again.
      await Promise.allSettled([writer.abandon()]);
      return { ok: false, error: asError(error) };
    }
  }
}

function isAlive({ targets }: Lane): boolean {
  return targets.some(({ failure }) => !failure);
}

/** Gives the lock of a repository back: a failure of that takes nothing from the snapshot. */
async function released({ lock }: WriteTarget, outcome: WriteOutcome): Promise<WriteOutcome> {
  try {
    await lock[Symbol.asyncDispose]();
    return outcome;
  } catch (error) {
    return outcome.ok ? { ...outcome, trouble: asError(error) } : outcome;
  }
}

function failuresOf(participants: SnapshotWriterParts["participants"]): RepositoryFailure[] {
  return participants.flatMap(({ location, failure }) =>
    failure ? { repository: location, error: failure } : [],
  );
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function newFolder(): Folder {
  return { folders: new Map(), files: new Map() };
}

function subfolder(folder: Folder, name: string): Folder {
  let child = folder.folders.get(name);
  if (!child) {
    child = newFolder();
    folder.folders.set(name, child);
  }
  return child;
}
