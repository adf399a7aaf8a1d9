/** A process to kill: it stages a restore of a dump, and stops before the last byte has arrived. Arguments: URL, `{ manifest, folder }`. */
import { readFile } from "node:fs/promises";
import type { StoreManifest } from "../../src/domain/manifest.ts";
import type { DumpSource, RestoreOptions } from "../../src/stores/store.ts";
import { connectTo, openSpool } from "./testing.ts";

const [url = "", dump = ""] = process.argv.slice(2);
const { manifest, folder } = JSON.parse(dump) as { manifest: StoreManifest; folder: string };
const source: DumpSource = {
  manifest,
  async *read(name, range) {
    const bytes = await readFile(`${folder}/${name}`);
    if (range) {
      yield bytes.subarray(range.offset, range.offset + range.length);
      return;
    }
    yield bytes.subarray(0, bytes.length - 1);
    if (name === "database.dump") {
      process.stdout.write("half\n");
      // A pending promise alone does not keep a process alive.
      setInterval(() => undefined, 60_000);
      await new Promise(() => undefined);
    }
    yield bytes.subarray(bytes.length - 1);
  },
};
const spool = await openSpool();
const store = await connectTo(url, 16, spool.context());
const options: RestoreOptions = { target: { kind: "in-place" }, force: false };
await store.stage(await store.planRestore(source, options), source, options);
