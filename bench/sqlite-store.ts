/**
 * Where the time of a SQLite backup goes: `node bench/sqlite-store.ts FILE`. Prints seconds and MB/s of the copy, the
 * checks and the digests, each alone, then of a whole dump into nothing.
 */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentObserver } from "../src/domain/observer.ts";
import { schema } from "../src/stores/sqlite/config.ts";
import { openStill } from "../src/stores/sqlite/client.ts";
import { sqlite } from "../src/stores/sqlite/index.ts";
import { Reader } from "../src/stores/sqlite/reader.ts";
import { systemClock } from "../src/util/clock/clock.ts";

const path = process.argv[2];
if (path === undefined) throw new Error("name a SQLite file");
const megabytes = (await stat(path)).size / 1e6;
const spoolFolder = await mkdtemp(join(tmpdir(), "memkeep-bench-"));

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const started = systemClock.monotonicMs();
  const result = await work();
  const seconds = (systemClock.monotonicMs() - started) / 1000;
  const rss = Math.round(process.memoryUsage.rss() / 1e6);
  console.log(
    `${what.padEnd(28)} ${seconds.toFixed(2)} s ${(megabytes / seconds).toFixed(0)} MB/s, ${rss} MB resident`,
  );
  return result;
}

try {
  const target = join(spoolFolder, "copy.db");
  {
    await using live = new Reader({ path, mode: "live", busyTimeoutMs: 0, cacheKiB: 2000 });
    await live.ask("pin");
    await timed("copy", () => live.ask("copy", { target, ratePages: 8192 }));
    await timed("counts", () => live.ask("counts"));
  }
  {
    await using copy = openStill(target);
    await timed("integrity check", () => copy.ask("integrity"));
    await timed("foreign keys", () => copy.ask("foreignKeys"));
    await timed("digests", () => copy.ask("digests"));
  }
  await rm(target);
  const context = {
    name: "bench",
    clock: systemClock,
    observer: silentObserver,
    spoolFolder,
    signal: new AbortController().signal,
  };
  await using store = sqlite.connect(schema.parse({ path }), context);
  await using view = await store.open();
  await timed("whole dump, bytes discarded", () =>
    view.dump({
      async file(_name, _kind, bytes) {
        let sizeBytes = 0;
        for await (const chunk of bytes) sizeBytes += chunk.length;
        return { sizeBytes, sha256: "" };
      },
    }),
  );
} finally {
  await rm(spoolFolder, { recursive: true, force: true });
}
