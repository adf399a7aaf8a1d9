/**
 * A PostgreSQL database of text, JSONB and 384-dimensional vectors: into a bucket against Clara's way (`pg_dump | gzip -9`,
 * then one PUT), into a folder against `pg_dump -Fc -Z0 | restic backup --stdin`, and back against `pg_restore` of a local
 * file. `npm run build && node bench/postgres.ts [SIZE_MB] [ROUNDS]`.
 */
import { execFileSync } from "node:child_process";
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { s3Config } from "../src/storages/contract/s3-place.ts";
import { makeClient } from "../src/storages/s3/client.ts";
import { postgres, postgresPrograms } from "../test/engines/postgres/index.ts";
import { resticBinary } from "../test/engines/restic/index.ts";
import { versitygw } from "../test/engines/versitygw/index.ts";
import { databaseUrl, sql } from "../test/postgres/testing.ts";
import { folderBytes, measure, median } from "./measure.ts";

const sizeMb = Number(process.argv[2] ?? 1000);
const rounds = Number(process.argv[3] ?? 1);
const folder = process.env["MEMKEEP_BENCH"] ?? "/var/tmp/memkeep-bench-postgres";
await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
const restic = await resticBinary("0.18.0");
const programs = await postgresPrograms(16);
await using server = await postgres(16).start();
await using bucketServer = await versitygw.start({ folder: join(folder, "versitygw") });
Object.assign(process.env, {
  PATH: `${programs}:${process.env["PATH"]}`,
  RESTIC_PASSWORD: "bench",
  MEMKEEP_PASSWORD: "bench",
  AWS_ACCESS_KEY_ID: bucketServer.accessKey,
  AWS_SECRET_ACCESS_KEY: bucketServer.secretKey,
  AWS_REGION: "us-east-1",
  XDG_CACHE_HOME: join(folder, "cache"),
});
const client = await makeClient(s3Config(bucketServer));
const memkeep = [process.execPath, join(import.meta.dirname, "../bin/memkeep.js")];

const url = databaseUrl(server.url, "bench");
await sql(server.url, "CREATE DATABASE bench");
await sql(
  url,
  `CREATE EXTENSION vector;
   CREATE TABLE memories (id bigint PRIMARY KEY, content text, payload jsonb, embedding vector(384));
   CREATE FUNCTION words(n bigint, many integer) RETURNS text LANGUAGE sql AS
     $$ SELECT string_agg((ARRAY['tea','likes','meeting','project','Berlin','remember','deadline','music','garden','answer','query','plan','green','winter','server','backup'])[1 + abs(hashint8(n * 131 + i)) % 16], ' ') FROM generate_series(1, many) AS i $$`,
);
// A row takes about 5.4 kB in the dump.
const rows = Math.round((sizeMb * 1e6) / 5400);
const row = (seed: string): string =>
  `i, words(i + ${seed}, 80), jsonb_build_object('user', 'u' || i % 50, 'score', random(), 'hash', md5((i + ${seed})::text), 'data', words(i + ${seed} + 7, 40)),
   (SELECT array_agg((random() - 0.5)::real) FROM generate_series(1, 384) AS d WHERE d + i > 0)::vector`;
await sql(url, `INSERT INTO memories SELECT ${row("0")} FROM generate_series(1, ${rows}) AS i`);

await sql(url, "VACUUM ANALYZE");

const figures = new Map<string, number[]>();
function note(what: string, value: number): void {
  figures.set(what, [...(figures.get(what) ?? []), value]);
}
async function timed(what: string, argv: readonly string[]): Promise<void> {
  const { wallS, peakMb } = await measure(argv);
  note(`${what} s`, wallS);
  note(`${what} MB`, peakMb);
}
async function grown(what: string, place: string, work: () => Promise<void>): Promise<void> {
  const before = await folderBytes(place);
  await work();
  note(`${what} bytes`, (await folderBytes(place)) - before);
}
const shell = (script: string): string[] => ["bash", "-c", `set -eo pipefail; ${script}`];

for (let round = 0; round < rounds; round++) {
  const bucket = `bench-${Date.now()}`;
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  const stored = join(folder, "versitygw", "buckets", bucket);
  const ours = `s3:${bucketServer.url}/${bucket}/repository`;
  const local = join(folder, "local");
  const theirs = join(folder, "restic");
  for (const place of [local, theirs]) await rm(place, { recursive: true, force: true });
  await mkdir(local);
  await mkdir(theirs);
  await measure([...memkeep, "init", "-r", ours]);
  await measure([...memkeep, "init", "-r", join(local, "r")]);
  await measure([restic, "-q", "-r", theirs, "init"]);
  const clara = (name: string): string[] =>
    shell(
      `pg_dump ${url} | gzip -9 > ${folder}/${name}.gz; curl -fsS --aws-sigv4 aws:amz:us-east-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -T ${folder}/${name}.gz ${bucketServer.url}/${bucket}/${name}.gz`,
    );
  for (const run of ["first", "second"] as const) {
    if (run === "second") {
      const changed = Math.max(1, Math.round(rows / 100));
      await sql(
        url,
        `UPDATE memories m SET content = n.content, payload = n.payload, embedding = n.embedding
           FROM (SELECT ${row(String((round + 1) * rows))} FROM generate_series(1, ${rows}, ${Math.round(rows / changed)}) AS i) AS n (id, content, payload, embedding)
          WHERE m.id = n.id`,
      );
    }
    await grown(`${run} ours bucket`, stored, () =>
      timed(`${run} ours bucket`, [...memkeep, "backup", "-s", url, "-r", ours]),
    );
    await grown(`${run} clara`, stored, () => timed(`${run} clara`, clara(run)));
    await grown(`${run} ours local`, local, () =>
      timed(`${run} ours local`, [...memkeep, "backup", "-s", url, "-r", join(local, "r")]),
    );
    await grown(`${run} restic`, theirs, () =>
      timed(
        `${run} restic`,
        shell(
          `pg_dump -Fc -Z0 ${url} | ${restic} -q --no-cache -r ${theirs} backup --stdin --stdin-filename d`,
        ),
      ),
    );
  }
  const archive = join(folder, "archive");
  execFileSync(join(programs, "pg_dump"), ["-Fc", "-Z0", "-f", archive, url]);
  note("archive bytes", (await stat(archive)).size);
  await sql(server.url, "CREATE DATABASE theirs");
  await timed("restore pg_restore", [
    "pg_restore",
    "--exit-on-error",
    `--dbname=${databaseUrl(server.url, "theirs")}`,
    archive,
  ]);
  await sql(server.url, "DROP DATABASE theirs");
  await timed("restore ours", [
    ...memkeep,
    "restore",
    "latest",
    "-s",
    url,
    "-r",
    join(local, "r"),
    "--into",
    databaseUrl(server.url, "ours"),
    "--apply",
  ]);
  await sql(server.url, "DROP DATABASE ours");
}
client.destroy();

const of = (what: string): number => median(figures.get(what)!);
const times = (a: string, b: string): string => `${(of(a) / of(b)).toFixed(2)}×`;
const seconds = (what: string): string => `${of(`${what} s`).toFixed(1)} s`;
const table = [
  ["backup into a bucket", "clara s", "ours bucket s", "first", "≥ 3×"],
  ["the same, 1 % changed", "clara s", "ours bucket s", "second", "≥ 4×"],
  ["into a folder", "restic s", "ours local s", "first", "≥ 1.2×"],
  ["the same, 1 % changed", "restic s", "ours local s", "second", "–"],
] as const;
console.log(`${rows} rows, archive ${Math.round(of("archive bytes") / 1e6)} MB, median of ${rounds}\n`);
console.log(
  "| what | speed against the other | goal | ours | other | peak memory |\n|---|---|---|---|---|---|",
);
for (const [what, other, our, run, goal] of table) {
  const name = (text: string): string => `${run} ${text.replace(/ s$/, "")}`;
  console.log(
    `| ${what} | ${times(`${run} ${other}`, `${run} ${our}`)} | ${goal} | ${seconds(name(our))} | ${seconds(name(other))} | ${Math.round(of(`${name(our)} MB`))} MB |`,
  );
}
console.log(
  `| restore into a new database, compared | ${times("restore pg_restore s", "restore ours s")} | ≥ 0.9× | ${seconds("restore ours")} | ${seconds("restore pg_restore")} | ${Math.round(of("restore ours MB"))} MB |`,
);
console.log("\n| bytes | ours against the other | goal |\n|---|---|---|");
for (const [what, our, other, goal] of [
  ["bucket, first run, against gzip -9", "first ours bucket", "first clara", "–"],
  ["bucket, 1 % changed, against gzip -9", "second ours bucket", "second clara", "≤ 0.125×"],
  ["folder, first run, against restic", "first ours local", "first restic", "–"],
  ["folder, 1 % changed, added, against restic", "second ours local", "second restic", "≤ 0.12×"],
] as const) {
  console.log(`| ${what} | ${times(`${our} bytes`, `${other} bytes`)} | ${goal} |`);
}
await rm(folder, { recursive: true, force: true });
