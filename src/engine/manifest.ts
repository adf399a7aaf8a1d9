/** Reads the manifest of a snapshot, and the dump files of one store in it. */
import { MemkeepError } from "../domain/errors.ts";
import { type Manifest, parseManifest } from "../domain/manifest.ts";
import type { SnapshotReader } from "../repository/repository.ts";
import type { DumpSource } from "../stores/store.ts";

/** A manifest lists tables, not records; one that is larger is not ours. */
const largestBytes = 256 * 2 ** 20;

/** `MANIFEST_INVALID` when there is none, as in a snapshot that another program made. */
export async function readManifest(snapshot: SnapshotReader): Promise<Manifest> {
  const file = (await snapshot.files()).find(({ path }) => path === "manifest.json");
  if (!file || file.sizeBytes > largestBytes) {
    throw new MemkeepError("MANIFEST_INVALID", {
      tried: `read snapshot ${snapshot.info.id.slice(0, 8)}`,
      happened: "it has no memkeep manifest; another program made it",
      next: "Use `restic restore` for it.",
    });
  }
  const parts: Buffer[] = [];
  for await (const part of snapshot.read("manifest.json")) parts.push(Buffer.from(part));
  return parseManifest(Buffer.concat(parts));
}

/** The dump files of one store, for its adaptor. `SNAPSHOT_NOT_FOUND` when the snapshot does not have the store. */
export function dumpSource(snapshot: SnapshotReader, manifest: Manifest, store: string): DumpSource {
  const own = Object.hasOwn(manifest.stores, store) ? manifest.stores[store] : undefined;
  if (!own) {
    throw new MemkeepError("SNAPSHOT_NOT_FOUND", {
      tried: `read the store ${store} of snapshot ${snapshot.info.id.slice(0, 8)}`,
      happened: `it holds ${Object.keys(manifest.stores).join(", ")}`,
      next: "Check the name after --store.",
    });
  }
  return {
    manifest: own,
    read: (name, range) => snapshot.read(`${store}/${name}`, range),
  };
}

/** `MANIFEST_VERSION` for a dump of a newer format than this memkeep reads: what it would read is not guessed at. */
export function refuseNewerDump(name: string, { manifest }: DumpSource, reads: number): void {
  if (manifest.dumpVersion <= reads) return;
  throw new MemkeepError("MANIFEST_VERSION", {
    tried: `read the dump of ${name}`,
    happened: `it has version ${manifest.dumpVersion}, this memkeep reads ${manifest.kind} dumps up to ${reads}`,
    next: "Use a newer memkeep; stock `restic restore` brings the files back without it.",
  });
}
