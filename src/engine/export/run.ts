/**
 * Writes the dump files of a snapshot into a folder, with the manifest and a list of checksums that `sha256sum -c`
 * reads. Needs nothing but the repository: it is what brings everything back on an empty machine.
 */
import { createHash } from "node:crypto";
import { open, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MemkeepError } from "../../domain/errors.ts";
import { type Manifest, formatManifest } from "../../domain/manifest.ts";
import type { SnapshotReader } from "../../repository/repository.ts";
import { errnoOf, makeFolder, needingRoom, syncFile, syncFolder } from "../../util/fs/durable.ts";
import { readManifest } from "../manifest.ts";
import type { Surroundings } from "../stack.ts";

export interface ExportReport {
  readonly snapshot: string;
  readonly folder: string;
  readonly manifest: Manifest;
  readonly files: readonly { readonly path: string; readonly sizeBytes: number; readonly sha256: string }[];
}

/**
 * Writes `<folder>/<store>/<file>` for the stores asked for (all when undefined). `folder` must be missing or empty.
 * Every file is compared with the manifest while it is written and durable when this resolves; a file that does not agree
 * is `COMPARE_FAILED`.
 */
export async function exportSnapshot(
  snapshot: SnapshotReader,
  folder: string,
  stores: readonly string[] | undefined,
  surroundings: Surroundings,
): Promise<ExportReport> {
  const manifest = await readManifest(snapshot);
  await refuseUsed(folder);
  const names = stores ?? Object.keys(manifest.stores);
  const files: { path: string; sizeBytes: number; sha256: string }[] = [];
  for (const name of names) {
    const store = manifest.stores[name];
    if (!store) {
      throw new MemkeepError("SNAPSHOT_NOT_FOUND", {
        tried: `export the store ${name}`,
        happened: `the snapshot holds ${Object.keys(manifest.stores).join(", ")}`,
      });
    }
    surroundings.observer.step(name, `writing ${store.kind} to ${join(folder, name)}`);
    for (const file of store.files) {
      const path = safePath(file.path);
      const target = join(folder, path);
      await needingRoom(target, writeFile(target, snapshot.read(file.path), file, surroundings, name));
      files.push({ path, sizeBytes: file.sizeBytes, sha256: file.sha256 });
    }
  }
  const manifestPath = join(folder, "manifest.json");
  await needingRoom(manifestPath, writeSmall(manifestPath, formatManifest(manifest)));
  const list = files.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join("");
  await writeSmall(join(folder, "SHA256SUMS"), Buffer.from(list));
  return { snapshot: snapshot.info.id, folder, manifest, files };
}

/** A path out of a manifest is data: only plain names may become part of a path here (law 12). */
function safePath(path: string): string {
  if (path.split("/").every((segment) => /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/.test(segment))) return path;
  throw new MemkeepError("MANIFEST_INVALID", {
    tried: "write a file of the snapshot",
    happened: `its name ${JSON.stringify(path)} is not one that memkeep gives`,
  });
}

async function refuseUsed(folder: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw new MemkeepError("TARGET_EXISTS", {
      tried: `write into ${folder}`,
      happened: "it is a file, not a folder",
      next: "Give a folder that does not exist yet; for a SQLite database write sqlite: in front of its path.",
      cause: error,
    });
  }
  if (names.length === 0) return;
  throw new MemkeepError("TARGET_EXISTS", {
    tried: `write into ${folder}`,
    happened: `it is not empty (${names.length} entries)`,
    next: "Give a folder that does not exist yet.",
  });
}

async function writeFile(
  path: string,
  source: AsyncIterable<Buffer>,
  expected: { sizeBytes: number; sha256: string },
  surroundings: Surroundings,
  scope: string,
): Promise<void> {
  await makeFolder(dirname(path));
  const hash = createHash("sha256");
  let sizeBytes = 0;
  {
    await using handle = await open(path, "wx", 0o600);
    for await (const bytes of source) {
      surroundings.signal.throwIfAborted();
      hash.update(bytes);
      await handle.writeFile(bytes);
      sizeBytes += bytes.length;
      surroundings.observer.progress(scope, sizeBytes, expected.sizeBytes, "bytes");
    }
    await syncFile(handle);
  }
  await syncFolder(dirname(path));
  if (sizeBytes === expected.sizeBytes && hash.digest("hex") === expected.sha256) return;
  throw new MemkeepError("COMPARE_FAILED", {
    tried: `write ${path}`,
    happened: "what came out of the repository is not what the manifest says",
    next: "Run `memkeep verify --level stored`, and take another snapshot or repository.",
  });
}

async function writeSmall(path: string, bytes: Buffer): Promise<void> {
  await using handle = await open(path, "wx", 0o600);
  await handle.writeFile(bytes);
  await syncFile(handle);
}
