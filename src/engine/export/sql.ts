/** One store of a snapshot as plain SQL. */
import { MemkeepError } from "../../domain/errors.ts";
import type { SnapshotReader } from "../../repository/repository.ts";
import { dumpSource, readManifest } from "../manifest.ts";
import { openSpool } from "../spool.ts";
import type { Stack, Surroundings } from "../stack.ts";

/**
 * The bytes, each checked before it is given; what was damaged is told by a rejection at its end, so a reader that got
 * everything has everything. `store` may be left out where the snapshot has one. `USAGE` for a kind without such a form.
 */
export async function* exportSql(
  snapshot: SnapshotReader,
  store: string | undefined,
  stack: Pick<Stack, "plainSql">,
  surroundings: Surroundings,
): AsyncGenerator<Uint8Array> {
  const manifest = await readManifest(snapshot);
  const names = Object.keys(manifest.stores);
  if (store === undefined && names.length !== 1) {
    throw new MemkeepError("USAGE", {
      tried: "export as SQL",
      happened: `it is for one store, and the snapshot holds ${names.join(", ")}`,
      next: "Name it with --store.",
    });
  }
  const name = store ?? names[0]!;
  const source = dumpSource(snapshot, manifest, name);
  await using spool = await openSpool(surroundings.spoolRoot);
  surroundings.observer.step(name, `writing ${source.manifest.kind} as SQL`);
  yield* await stack.plainSql(source.manifest.kind, source, {
    ...surroundings,
    name,
    spoolFolder: spool.folder,
  });
}
