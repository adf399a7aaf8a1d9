/**
 * What a restore in place has overwritten, in a spool file, so that it can be brought back. A line is on disk before the
 * server is told to change the point that it describes.
 */
import { createReadStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { readValue } from "../format/json-read.ts";
import { writeValue } from "../format/json-write.ts";
import { readLines } from "../format/lines.ts";
import type { ValueMap } from "../format/value.ts";
import { Upserts, batchLimits } from "./batches.ts";
import type { BatchLimits } from "./batches.ts";
import { pointOf } from "./dump-contents.ts";
import type { Point } from "./page.ts";
import { recordKey } from "./point-id.ts";
import type { Server } from "./server.ts";

export class UndoLog implements AsyncDisposable {
  readonly #path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  static async create(path: string): Promise<UndoLog> {
    return new UndoLog(path, await open(path, "wx", 0o600));
  }

  /** Points that are about to be overwritten or deleted, as they are, and the ids of those that are about to be new. */
  async write(
    old: readonly Point[],
    inserted: readonly string[],
    shardKey: string | undefined,
  ): Promise<void> {
    const lines = [
      ...old.map(({ key, payload, vectors }) => writeValue({ key, payload, vectors })),
      ...inserted.map((id) => writeValue({ key: recordKey(id, shardKey) })),
    ];
    if (lines.length > 0) await this.#handle.appendFile(`${lines.join("\n")}\n`);
  }

  /** Brings everything back: first what is lost, then what is too much. May be called again after a failure. */
  async undo(server: Server, collection: string, limits: BatchLimits = batchLimits): Promise<void> {
    const upserts = new Upserts(server, collection, limits);
    try {
      for await (const { point, isNew } of this.#read()) {
        const wait = isNew ? undefined : upserts.add(point, point.shardKey);
        if (wait) await wait;
      }
      await upserts.finish();
    } finally {
      await upserts.settle();
    }
    const inserted = new Map<string | undefined, string[]>();
    for await (const { point, isNew } of this.#read()) {
      if (!isNew) continue;
      const ids = inserted.get(point.shardKey) ?? [];
      inserted.set(point.shardKey, ids);
      if (ids.push(point.id) >= limits.points) {
        await server.deletePoints(collection, ids.splice(0), point.shardKey);
      }
    }
    for (const [shardKey, ids] of inserted) {
      if (ids.length > 0) await server.deletePoints(collection, ids, shardKey);
    }
  }

  async *#read() {
    for await (const lines of readLines(createReadStream(this.#path), this.#path)) {
      for (const line of lines) {
        const value = readValue(line) as ValueMap;
        const isNew = value["payload"] === undefined;
        const whole = isNew ? { ...value, payload: {}, vectors: {} } : value;
        yield {
          point: pointOf({ key: Buffer.from(value["key"] as string), value: whole }, this.#path),
          isNew,
        };
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
    await rm(this.#path, { force: true });
  }
}
