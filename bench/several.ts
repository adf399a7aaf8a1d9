/**
 * Two repositories at one backup against one: `memkeep backup` as users run it, each run in a process of its own, from one store
 * into fresh folders. `npm run build && node bench/several.ts [SIZE_MB] [ROUNDS]` prints a table for RESULTS.md.
 */
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Measured, measure, median } from "./measure.ts";

const sizeMb = Number(process.argv[2] ?? 500);
const rounds = Number(process.argv[3] ?? 3);
const folder = process.env["MEMKEEP_BENCH"] ?? "/var/tmp/memkeep-bench";
const memkeep = [process.execPath, join(import.meta.dirname, "../dist/cli/main.js")];
process.env["MEMKEEP_PASSWORD"] = "of the benchmark";

await mkdir(folder, { recursive: true });
const store = join(folder, `sqlite-${sizeMb}.0`);
if (!existsSync(store)) {
  await measure([process.execPath, join(import.meta.dirname, "corpus.ts"), "sqlite", String(sizeMb), store]);
}
const config = join(folder, "several.yaml");
await writeFile(
  config,
  `version: 1\nstack: bench\nstores:\n  memory: { type: sqlite, path: ${store} }\nrepositories:\n  one: { storage: ./several-one }\n  two: { storage: ./several-two }\n`,
);

const runs: Record<"one" | "two", Measured[]> = { one: [], two: [] };
for (let round = 0; round < rounds; round++) {
  // In turn, so that a machine that grows busier or idler meanwhile does so for both.
  for (const [count, to] of [
    ["one", ["--to", "one"]],
    ["two", []],
  ] as const) {
    for (const name of ["one", "two"])
      await rm(join(folder, `several-${name}`), { recursive: true, force: true });
    await measure([...memkeep, "init", "-q", "-c", config]);
    runs[count].push(await measure([...memkeep, "backup", "-q", "-c", config, ...to]));
  }
}
for (const name of ["one", "two"])
  await rm(join(folder, `several-${name}`), { recursive: true, force: true });

const of = (count: "one" | "two", figure: keyof Measured): number =>
  median(runs[count].map((run) => run[figure]));
const ratio = (figure: keyof Measured): string => `${(of("two", figure) / of("one", figure)).toFixed(2)}×`;
console.log(`| ${sizeMb} MB SQLite, median of ${rounds} | wall | processor time | peak memory |
|---|---|---|---|
| two repositories against one (goal 1.3×) | ${ratio("wallS")} (${of("two", "wallS").toFixed(1)} s, one ${of("one", "wallS").toFixed(1)} s) | ${ratio("cpuS")} | ${Math.round(of("two", "peakMb"))} MB, one ${Math.round(of("one", "peakMb"))} MB |`);
