/** Counts and digests of a collection's records as they pass by. */
import { MultisetDigest, recordDigest } from "../../domain/digest.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { contentDigest } from "../format/digest.ts";
import type { DumpedRecord } from "../format/read-collection.ts";
import { pointOf } from "./dump-contents.ts";
import { recordOf } from "./page.ts";
import type { Point } from "./page.ts";
import { settledDigest } from "./settled.ts";

export class RecordSum {
  readonly #keys = new MultisetDigest();
  readonly #content = new MultisetDigest();
  readonly #settled = new MultisetDigest();

  /** `digest` is the record's own, `settled` the one that the server's storage cannot change. */
  add(key: Uint8Array, digest: Uint8Array, settled: Uint8Array): void {
    this.#keys.add(recordDigest(key));
    this.#content.add(digest);
    this.#settled.add(settled);
  }

  get count(): number {
    return this.#content.count;
  }

  facts(name: string): CollectionFacts {
    return {
      name,
      records: this.#content.count,
      keyDigest: this.#keys.hex(),
      contentDigest: this.#content.hex(),
    };
  }

  /** Multiset digest of the records with settled numbers. */
  get settled(): string {
    return this.#settled.hex();
  }
}

export interface Digests {
  readonly digest: Buffer;
  readonly settled: Buffer;
}

export function digestsOfPoint(point: Pick<Point, "key" | "payload" | "vectors" | "shardKey">): Digests {
  const { line, vectors } = recordOf(point);
  const digest = contentDigest(line, vectors);
  return { digest, settled: settledDigest(line, digest, vectors, () => point) };
}

export function digestsOfRecord(record: DumpedRecord, file: string): Digests {
  const { key, line, vectors } = record;
  const digest = contentDigest(line, vectors);
  const settled = settledDigest(line, digest, vectors, () => ({
    ...pointOf(record, file),
    key: key.toString(),
  }));
  return { digest, settled };
}
