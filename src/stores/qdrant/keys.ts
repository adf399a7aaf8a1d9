/**
 * Keys with the digests of their records, in the order of the keys' bytes. The server keeps no hash of a point, so the
 * vectors pass by once; nothing but keys and digests is kept, in spool files where they are many.
 */
import { contentDigest } from "../format/digest.ts";
import { RecordSorter } from "../format/sort.ts";
import type { KeyDigest } from "../store.ts";
import type { CollectionSchema } from "./schema.ts";
import { recordOf } from "./page.ts";
import type { Point } from "./page.ts";
import { shardsOf } from "./read-points.ts";
import { readSteadily } from "./recheck.ts";
import type { Server } from "./server.ts";

const digestBytes = 32;

function contentDigestOf(point: Point): Buffer {
  const { line, vectors } = recordOf(point);
  return contentDigest(line, vectors);
}

export async function* sortedKeys(
  server: Server,
  address: string,
  schema: CollectionSchema,
  stem: string,
  digestOf: (point: Point) => Buffer = contentDigestOf,
): AsyncGenerator<readonly KeyDigest[]> {
  await using sorter = new RecordSorter({ folder: server.context.spoolFolder, stem });
  for (const [index, shard] of shardsOf(address, schema).entries()) {
    await readSteadily(server, shard, `${stem}-${index}`, async (points) => {
      for (const point of points) {
        // The sorter orders lines: this one is the digest, then the key.
        const wait = sorter.add({
          key: Buffer.from(point.key),
          line: digestOf(point).toString("hex") + point.key,
          vectors: [],
        });
        if (wait) await wait;
      }
    });
  }
  for await (const bytes of sorter.lines()) {
    yield bytes
      .toString("utf8", 0, bytes.length - 1)
      .split("\n")
      .map((line) => ({
        key: Buffer.from(line.slice(digestBytes * 2)),
        digest: Buffer.from(line.slice(0, digestBytes * 2), "hex"),
      }));
  }
}
