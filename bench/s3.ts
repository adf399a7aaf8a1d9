/**
 * The repository path into and out of a bucket, against stock restic 0.18 on the same server with the same number of
 * connections (five, the default of both). `npm run build && node bench/s3.ts [SIZE_MB] [ROUNDS]`.
 */
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { s3Config } from "../src/storages/contract/s3-place.ts";
import { makeClient } from "../src/storages/s3/client.ts";
import { resticBinary } from "../test/engines/restic/index.ts";
import { versitygw } from "../test/engines/versitygw/index.ts";
import { type Measured, measure, median } from "./measure.ts";

const sizeMb = Number(process.argv[2] ?? 2000);
const rounds = Number(process.argv[3] ?? 3);
const folder = process.env["MEMKEEP_BENCH"] ?? "/var/tmp/memkeep-bench";
await mkdir(folder, { recursive: true });
const restic = await resticBinary("0.18.0");
const child = [process.execPath, join(import.meta.dirname, "children.ts")];

const source = join(folder, `random-${sizeMb}.0`);
if (!existsSync(source)) {
  const corpus = join(import.meta.dirname, "corpus.ts");
  await measure([process.execPath, corpus, "random", String(sizeMb), source]);
}

await using server = await versitygw.start({ folder: join(folder, "versitygw"), keepAlive: true });
Object.assign(process.env, {
  RESTIC_PASSWORD: "bench",
  AWS_ACCESS_KEY_ID: server.accessKey,
  AWS_SECRET_ACCESS_KEY: server.secretKey,
  AWS_REGION: "us-east-1",
});

interface Series {
  readonly backup: Measured[];
  readonly restore: Measured[];
}
const ours: Series = { backup: [], restore: [] };
const theirs: Series = { backup: [], restore: [] };
const client = await makeClient(s3Config(server));
// In turn, round by round, so that a machine that slows down slows both.
for (let round = 0; round < rounds; round++) {
  for (const [series, mine] of [
    [ours, true],
    [theirs, false],
  ] as const) {
    const bucket = `bench-${Date.now()}`;
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    const url = `s3:${server.url}/${bucket}/repository`;
    const target = join(folder, "restored");
    const stock = [restic, "--no-cache", "-r", url];
    await measure(mine ? [...child, "init", url] : [...stock, "init"]);
    const save = mine ? [...child, "save", url, "records"] : [...stock, "backup", "-q", "--stdin"];
    series.backup.push(await measure(save, source));
    const restore = mine
      ? [...child, "restore", url, target]
      : [...stock, "restore", "latest", "--target", target];
    series.restore.push(await measure(restore));
    await rm(target, { recursive: true, force: true });
    await rm(join(folder, "versitygw", "buckets", bucket), { recursive: true, force: true });
  }
}
client.destroy();

console.log(`${sizeMb} MB of incompressible bytes, median of ${rounds}`);
console.log(
  "| what | wall against restic 0.18 | processor time against it | peak memory |\n|---|---|---|---|",
);
for (const what of ["backup", "restore"] as const) {
  const of = (series: Series, key: keyof Measured): number => median(series[what].map((m) => m[key]));
  const speed = (key: "wallS" | "cpuS"): string =>
    `${(of(theirs, key) / of(ours, key)).toFixed(2)}× (${of(ours, key).toFixed(1)} s, restic ${of(theirs, key).toFixed(1)} s)`;
  const peak = (series: Series): string => `${Math.round(Math.max(...series[what].map((m) => m.peakMb)))} MB`;
  console.log(`| ${what} | ${speed("wallS")} | ${speed("cpuS")} | ${peak(ours)}, restic ${peak(theirs)} |`);
}
await rm(join(folder, "versitygw"), { recursive: true, force: true });
