/** Dumps in a plain folder: the sink and source that the suites use where a repository would be. */
import { createHash } from "node:crypto";
import { mkdir, open, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { DumpFile, FileKind, StoreManifest } from "../../domain/manifest.ts";
import type { DumpSink, DumpSource, Store, StoredFile } from "../store.ts";

export class DumpFolder implements DumpSink {
  readonly folder: string;
  readonly files: DumpFile[] = [];
  readonly #store: string;

  constructor(folder: string, store: string) {
    this.folder = folder;
    this.#store = store;
  }

  async file(name: string, kind: FileKind, bytes: AsyncIterable<Uint8Array>): Promise<StoredFile> {
    await mkdir(this.folder, { recursive: true });
    const sha256 = createHash("sha256");
    let sizeBytes = 0;
    await using handle = await open(join(this.folder, name), "wx");
    for await (const chunk of bytes) {
      sha256.update(chunk);
      sizeBytes += chunk.length;
      await handle.write(chunk);
    }
    const stored = { sizeBytes, sha256: sha256.digest("hex") };
    this.files.push({ path: `${this.#store}/${name}`, kind, ...stored });
    return stored;
  }

  /** The dump as a restore reads it. `changes` are laid over the manifest. */
  source(manifest: StoreManifest, changes: Partial<StoreManifest> = {}): DumpSource {
    const { folder } = this;
    return {
      manifest: { ...manifest, ...changes },
      async *read(name, range) {
        const bytes = await readFile(join(folder, name));
        yield range ? bytes.subarray(range.offset, range.offset + range.length) : bytes;
      },
    };
  }

  /** Name → bytes of all dump files. */
  async contents(): Promise<Map<string, Buffer>> {
    const names = (await readdir(this.folder)).sort();
    return new Map(
      await Promise.all(names.map(async (name) => [name, await readFile(join(this.folder, name))] as const)),
    );
  }
}

export interface TakenDump {
  readonly dump: DumpFolder;
  readonly manifest: StoreManifest;
}

/** Opens a view, dumps it into a folder, and makes the store's part of the manifest of it, as the engine does. */
export async function takeDump(store: Store, folder: string): Promise<TakenDump> {
  await using view = await store.open();
  const dump = new DumpFolder(folder, store.name);
  const facts = await view.dump(dump);
  const { instant, consistency } = view;
  const manifest = {
    ...facts,
    kind: store.kind,
    source: "the suite",
    files: dump.files,
    view: { instant, consistency, moved: facts.view.moved },
  };
  return { dump, manifest };
}
