/**
 * The repository path alone against stock restic 0.18: the same bytes through standard input for both, each in a process of
 * its own. First run, the same again, then with 1 % of the records changed; bytes stored; restore; verify; stock
 * restic on both repositories. `npm run build && node bench/pipeline.ts [SIZE_MB] [ROUNDS]` prints a table for RESULTS.md.
 */
import { existsSync } from "node:fs";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { resticBinary } from "../test/engines/restic/index.ts";
import { folderBytes, type Measured, measure, median } from "./measure.ts";

const sizeMb = Number(process.argv[2] ?? 1000);
const rounds = Number(process.argv[3] ?? 3);
const folder = process.env["MEMKEEP_BENCH"] ?? "/var/tmp/memkeep-bench";
process.env["RESTIC_PASSWORD"] = "bench";
const restic = await resticBinary("0.18.0");
const child = [process.execPath, join(import.meta.dirname, "children.ts")];
const corpora = [
  { name: "SQLite file", corpus: "sqlite", kind: "pages" },
  { name: "JSON lines", corpus: "json", kind: "records" },
  { name: "float32 rows", corpus: "vectors", kind: "vectors" },
  { name: "incompressible", corpus: "random", kind: "records" },
] as const;

await mkdir(folder, { recursive: true });

async function corpusFiles(corpus: string): Promise<[string, string]> {
  const script = join(import.meta.dirname, "corpus.ts");
  const before = join(folder, `${corpus}-${sizeMb}.0`);
  const after = join(folder, `${corpus}-${sizeMb}.1`);
  if (!existsSync(before)) await measure([process.execPath, script, corpus, String(sizeMb), before]);
  if (!existsSync(after)) {
    if (corpus === "sqlite") await copyFile(before, after);
    if (corpus !== "random") await measure([process.execPath, script, corpus, String(sizeMb), after, "1"]);
  }
  return [before, after];
}

interface Series {
  readonly first: Measured[];
  readonly again: Measured[];
  readonly changed: Measured[];
  readonly restore: Measured[];
  readonly verify: Measured[];
  readonly stockCheck: Measured[];
  readonly stockRestore: Measured[];
  storedBytes: number;
  addedBytes: number;
}

function newSeries(): Series {
  return {
    first: [],
    again: [],
    changed: [],
    restore: [],
    verify: [],
    stockCheck: [],
    stockRestore: [],
    storedBytes: 0,
    addedBytes: 0,
  };
}

for (const { name, corpus, kind } of corpora) {
  const [before, after] = await corpusFiles(corpus);
  const ours = newSeries();
  const theirs = newSeries();
  // In turn, round by round, so that a machine that slows down slows both.
  for (let round = 0; round < rounds; round++) {
    for (const [series, mine] of [
      [ours, true],
      [theirs, false],
    ] as const) {
      const repository = join(folder, mine ? "memkeep" : "restic");
      const target = join(folder, "restored");
      await rm(repository, { recursive: true, force: true });
      const save = mine
        ? [...child, "save", repository, kind]
        : [restic, "-r", repository, "backup", "-q", "--stdin"];
      await measure(mine ? [...child, "init", repository] : [restic, "-r", repository, "init"]);
      series.first.push(await measure(save, before));
      series.storedBytes = await folderBytes(repository);
      series.again.push(await measure(save, before));
      const stock = [restic, "-r", repository];
      series.verify.push(
        await measure(mine ? [...child, "verify", repository] : [...stock, "check", "--read-data"]),
      );
      if (mine) series.stockCheck.push(await measure([...stock, "check", "--read-data"]));
      await rm(target, { recursive: true, force: true });
      const stockRestore = [...stock, "restore", "latest", "--target", target];
      series.restore.push(
        await measure(mine ? [...child, "restore", repository, `${target}.file`] : stockRestore),
      );
      if (mine) series.stockRestore.push(await measure(stockRestore));
      await rm(target, { recursive: true, force: true });
      await rm(`${target}.file`, { force: true });
      if (corpus !== "random") {
        const withoutBytes = await folderBytes(repository);
        series.changed.push(await measure(save, after));
        series.addedBytes = (await folderBytes(repository)) - withoutBytes;
      }
    }
  }
  report(name, ours, theirs);
}

function report(name: string, ours: Series, theirs: Series): void {
  const wall = (measured: readonly Measured[]): number => median(measured.map(({ wallS }) => wallS));
  const speed = (a: readonly Measured[], b: readonly Measured[]): string =>
    a.length === 0
      ? "–"
      : `${(wall(b) / wall(a)).toFixed(2)}× (${wall(a).toFixed(2)} s, restic ${wall(b).toFixed(2)} s)`;
  const peak = Math.max(
    ...[ours.first, ours.again, ours.changed, ours.restore, ours.verify].flat().map((m) => m.peakMb),
  );
  console.log(`\n### ${name}, ${sizeMb} MB, median of ${rounds}\n`);
  console.log("| what | memkeep against restic 0.18 |\n|---|---|");
  console.log(`| first run, speed | ${speed(ours.first, theirs.first)} |`);
  console.log(`| again, unchanged, speed | ${speed(ours.again, theirs.again)} |`);
  console.log(`| 1 % changed, speed | ${speed(ours.changed, theirs.changed)} |`);
  console.log(
    `| first run, stored bytes | ${(ours.storedBytes / theirs.storedBytes).toFixed(2)}× (${mb(ours.storedBytes)}, restic ${mb(theirs.storedBytes)}) |`,
  );
  if (theirs.addedBytes > 0) {
    console.log(
      `| 1 % changed, added bytes | ${(ours.addedBytes / theirs.addedBytes).toFixed(3)}× (${mb(ours.addedBytes)}, restic ${mb(theirs.addedBytes)}) |`,
    );
  }
  console.log(`| restore, speed | ${speed(ours.restore, theirs.restore)} |`);
  console.log(`| verify all bytes, speed | ${speed(ours.verify, theirs.verify)} |`);
  console.log(
    `| stock check --read-data, time on ours | ${(wall(ours.stockCheck) / wall(theirs.verify)).toFixed(2)}× |`,
  );
  console.log(
    `| stock restore, time on ours | ${(wall(ours.stockRestore) / wall(theirs.restore)).toFixed(2)}× |`,
  );
  console.log(`| peak memory of memkeep | ${Math.round(peak)} MB |`);
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
