import { MultisetDigest, recordDigest } from "../../domain/digest.ts";
import type { CollectionFacts } from "../../domain/manifest.ts";
import { compareUtf8 } from "../format/value.ts";
import type { RecordLine } from "./records.ts";

/** Counts and digests by collection. */
export class CollectionDigests {
  readonly #collections = new Map<string, { keys: MultisetDigest; content: MultisetDigest }>();

  add({ collection, key, digest }: Pick<RecordLine, "collection" | "key" | "digest">): void {
    let digests = this.#collections.get(collection);
    if (!digests) {
      digests = { keys: new MultisetDigest(), content: new MultisetDigest() };
      this.#collections.set(collection, digests);
    }
    digests.keys.add(recordDigest(key));
    digests.content.add(digest);
  }

  /** In the order of the collections' names. */
  all(prefix = ""): CollectionFacts[] {
    return [...this.#collections]
      .sort(([a], [b]) => compareUtf8(a, b))
      .map(([name, { keys, content }]) => ({
        name: prefix + name,
        records: content.count,
        keyDigest: keys.hex(),
        contentDigest: content.hex(),
      }));
  }
}
