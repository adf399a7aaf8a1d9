/** A process to kill: it dumps or restores. Arguments: URL, graph, `dump` or `restore`, `{ manifest, folder }`. */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { tmpdir } from "node:os";
import type { StoreManifest } from "../../src/domain/manifest.ts";
import { silentObserver } from "../../src/domain/observer.ts";
import { DumpFolder, takeDump } from "../../src/stores/contract/dump-folder.ts";
import { schema } from "../../src/stores/falkordb/config.ts";
import { falkordb } from "../../src/stores/falkordb/index.ts";
import { systemClock } from "../../src/util/clock/clock.ts";

const [url = "", graph = "", work = "", dump = ""] = process.argv.slice(2);
const { manifest, folder } = JSON.parse(dump) as { manifest: StoreManifest; folder: string };
const spoolFolder = await mkdtemp(join(tmpdir(), "memkeep-killed-"));
const { signal } = new AbortController();
const context = { name: "memory", clock: systemClock, observer: silentObserver, spoolFolder, signal };
const store = falkordb.connect(schema.parse({ url, graph, view: "copy", connections: 2 }), context);
if (work === "dump") {
  await takeDump(store, join(spoolFolder, "dump"));
} else {
  const source = new DumpFolder(folder, "memory").source(manifest);
  const options = { target: { kind: "in-place" }, force: false } as const;
  await using restoration = await store.stage(await store.planRestore(source, options), source, options);
  await restoration.facts();
  await restoration.switch();
  await restoration.keep();
}
