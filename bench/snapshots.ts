/** `snapshots` on a repository of 1,000 snapshots, whole process, against stock restic 0.18 on the same repository. `npm run build && node bench/snapshots.ts`. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeSnapshot } from "../src/repository/restic/objects/snapshot-file.ts";
import { createRepository } from "../src/repository/restic/open-repository.ts";
import { local } from "../src/storages/local/index.ts";
import { systemClock } from "../src/util/clock/clock.ts";
import { resticBinary } from "../test/engines/restic/index.ts";
import { type Measured, measure, median } from "./measure.ts";

const rounds = 7;
const folder = await mkdtemp(join(tmpdir(), "memkeep-thousand-"));
const path = join(folder, "repository");
process.env["MEMKEEP_PASSWORD"] = "bench";
process.env["RESTIC_PASSWORD"] = "bench";
try {
  const storage = await local.create({ path });
  const repository = await createRepository({
    storage,
    password: "bench",
    clock: systemClock,
    program: "memkeep bench",
    retryLockMs: 0,
    signal: new AbortController().signal,
  });
  for (let number = 0; number < 1000; number++) {
    const timeMs = Date.parse("2024-01-01T02:00:00Z") + number * 86_400_000;
    const json = encodeSnapshot({
      timeMs,
      parent: undefined,
      tree: "0".repeat(64),
      path: "/bench",
      hostname: "memkeep",
      username: "memkeep",
      uid: 0,
      gid: 0,
      tags: ["memkeep", "stack:bench", "store:memory", `run:${number}`],
      programVersion: "memkeep bench",
      summary: {
        startedMs: timeMs,
        finishedMs: timeMs,
        files: 1,
        directories: 1,
        dataBlobs: 1,
        treeBlobs: 1,
        addedBytes: 1,
        addedPackedBytes: 1,
        processedBytes: 1,
      },
    });
    await repository.objects.save("snapshots", json);
  }
  await repository.close();
  const restic = await resticBinary("0.18.0");
  // As `bin/memkeep.js` does; it would run the source here.
  process.env["NODE_COMPILE_CACHE"] = join(folder, "compiled");
  const memkeep = [process.execPath, join(import.meta.dirname, "../dist/cli/main.js")];
  const ours: Measured[] = [];
  const theirs: Measured[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(await measure([...memkeep, "snapshots", "-r", path]));
    theirs.push(await measure([restic, "-r", path, "snapshots"]));
  }
  const [a, b] = [ours, theirs].map((series) => median(series.map(({ wallS }) => wallS)));
  const [c, d] = [ours, theirs].map((series) => median(series.map(({ cpuS }) => cpuS)));
  console.log(
    `| \`snapshots\` of 1,000, processor time | ${(c! / d!).toFixed(2)}× restic's (${c!.toFixed(2)} s, restic ${d!.toFixed(2)} s) |`,
  );
  console.log(
    `| \`snapshots\` of 1,000, wall time | ${(a! / b!).toFixed(2)}× restic's (${a!.toFixed(2)} s, restic ${b!.toFixed(2)} s) |`,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
