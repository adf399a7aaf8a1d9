/** Reads a store's dump files whole and holds them against the manifest: size and SHA-256. */
import { createHash } from "node:crypto";
import type { StoreManifest } from "../../domain/manifest.ts";
import { reasonOf } from "../../domain/errors.ts";
import type { SnapshotReader } from "../../repository/repository.ts";
import type { Surroundings } from "../stack.ts";

/** Sentences, one a file that is not what the manifest says. */
export async function readFiles(
  snapshot: SnapshotReader,
  name: string,
  store: StoreManifest,
  surroundings: Surroundings,
): Promise<string[]> {
  const totalBytes = store.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const differences: string[] = [];
  let doneBytes = 0;
  for (const file of store.files) {
    const hash = createHash("sha256");
    let sizeBytes = 0;
    try {
      for await (const bytes of snapshot.read(file.path)) {
        surroundings.signal.throwIfAborted();
        hash.update(bytes);
        sizeBytes += bytes.length;
        doneBytes += bytes.length;
        surroundings.observer.progress(name, doneBytes, totalBytes, "bytes");
      }
    } catch (error) {
      surroundings.signal.throwIfAborted();
      differences.push(`${file.path}: ${reasonOf(error)}`);
      continue;
    }
    if (sizeBytes !== file.sizeBytes) {
      differences.push(`${file.path} has ${sizeBytes} bytes, the manifest says ${file.sizeBytes}`);
    } else if (hash.digest("hex") !== file.sha256) {
      differences.push(`${file.path} does not have the SHA-256 that the manifest says`);
    }
  }
  return differences;
}
