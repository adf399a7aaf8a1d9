/** Digests the large objects in a dump's stream: each is a record, its oid (decimal) its key. */
import { type Hash, createHash } from "node:crypto";
import { MultisetDigest, recordDigest } from "../../../domain/digest.ts";
import type { CollectionFacts } from "../../../domain/manifest.ts";
import type { DataSink } from "./scanner.ts";

/** No table can have this name: theirs have a dot. */
export const largeObjects = "large objects";

export class LargeObjectDigester implements DataSink {
  readonly #content: MultisetDigest = new MultisetDigest();
  readonly #keys: MultisetDigest = new MultisetDigest();
  #hash: Hash = createHash("sha256");

  begin(oid: number): void {
    const key = Buffer.from(String(oid));
    this.#keys.add(recordDigest(key));
    this.#hash = createHash("sha256").update(key).update("\0");
  }

  data(bytes: Buffer, from: number, to: number): void {
    this.#hash.update(bytes.subarray(from, to));
  }

  end(): void {
    this.#content.add(this.#hash.digest());
  }

  facts(): CollectionFacts {
    return {
      name: largeObjects,
      records: this.#content.count,
      keyDigest: this.#keys.hex(),
      contentDigest: this.#content.hex(),
    };
  }
}
