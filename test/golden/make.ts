/**
 * `npm run golden`: makes the golden repository of the present version in `test/golden/VERSION/`, once a release. It is
 * kept for ever, and `golden.test.ts` reads it with every later version. Never made anew: a repository of an old version
 * can only be made by that version.
 */
import { existsSync } from "node:fs";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { readVersion } from "../../src/util/version/version.ts";
import { makeFolder, removeFolder, runMemkeep } from "../cli/run-memkeep.ts";
import { qdrant } from "../engines/qdrant/index.ts";
import { goldenPassword, pointsIn, rowsOf, sha256 } from "./contents.ts";

const version = readVersion();
const golden = join(import.meta.dirname, version);
if (existsSync(golden)) throw new Error(`${golden} is there already, and must stay as it is`);

const folder = await makeFolder();
await qdrant.ensure();
const server = await qdrant.start();
try {
  await writeFile(
    join(folder, "memkeep.yaml"),
    `version: 1\nstack: golden\nstores:\n  memory: { type: sqlite, path: ./memory.db }\n  vectors: { type: qdrant, url: "${server.url}" }\nrepositories:\n  golden: { storage: ./repository }\n`,
  );
  fillDatabase(join(folder, "memory.db"));
  await fillCollection(server.url, 0, 150);
  await memkeep("init", "-q");
  await memkeep("backup", "-q");
  using db = new DatabaseSync(join(folder, "memory.db"));
  db.exec("UPDATE memories SET content = content || ', remembered' WHERE id % 10 = 0");
  await fillCollection(server.url, 100, 200);
  await memkeep("backup", "-q");
  await memkeep("verify", "latest", "--level", "decoded");
  const lists: unknown = JSON.parse(await memkeep("snapshots", "--json"));
  const snapshots = (lists as { snapshots: { id: string; time: string }[] }[])[0]!.snapshots;
  const manifest: unknown = JSON.parse(await memkeep("cat", "latest", "manifest.json"));
  const expected = {
    snapshots: snapshots.map(({ id, time }) => ({ id, time })),
    collections: Object.fromEntries(
      Object.entries((manifest as { stores: Record<string, { collections: unknown }> }).stores).map(
        ([name, { collections }]) => [name, collections],
      ),
    ),
    rows: sha256(rowsOf(join(folder, "memory.db"))),
    points: sha256(await pointsIn(server.url)),
  };
  await mkdir(golden, { recursive: true });
  await cp(join(folder, "repository"), join(golden, "repository"), { recursive: true });
  await writeFile(join(golden, "expected.json"), `${JSON.stringify(expected, undefined, 2)}\n`);
} finally {
  await server[Symbol.asyncDispose]();
  await removeFolder(folder);
}

async function memkeep(...args: readonly string[]): Promise<string> {
  const ended = await runMemkeep(args, { cwd: folder, env: { MEMKEEP_PASSWORD: goldenPassword } });
  if (ended.code !== 0) throw new Error(`memkeep ${args.join(" ")}: ${ended.stderr}`);
  return ended.stdout;
}

/** Of every kind that a SQLite value can be. */
function fillDatabase(path: string): void {
  using db = new DatabaseSync(path);
  db.exec(`CREATE TABLE memories (id INTEGER PRIMARY KEY, content TEXT NOT NULL, weight REAL, vector BLOB, seen INTEGER);
    CREATE VIRTUAL TABLE found USING fts5(content);
    CREATE INDEX by_weight ON memories (weight)`);
  const insert = db.prepare("INSERT INTO memories VALUES (?, ?, ?, ?, ?)");
  for (let id = 1; id <= 300; id++) {
    const vector = Buffer.from(Float32Array.from({ length: 8 }, (_, at) => Math.sin(id * 8 + at)).buffer);
    insert.run(
      id,
      `memory ${id} of a name such as 記憶 or Zoë`,
      id % 7 ? id / 7 : null,
      vector,
      2n ** 53n + BigInt(id),
    );
  }
  db.exec("INSERT INTO found SELECT content FROM memories WHERE id <= 50");
}

async function fillCollection(url: string, from: number, to: number): Promise<void> {
  await ask(`${url}/collections/memories`, { vectors: { size: 16, distance: "Cosine" } }, from > 0);
  const points = Array.from({ length: to - from }, (_, number) => {
    const id = from + number;
    const vector = Array.from({ length: 16 }, (_unused, at) => Math.fround(Math.cos(id * 16 + at)));
    return {
      id,
      vector,
      payload: { text: `memory ${id}`, weight: id / 3, tags: ["a", `t${id % 5}`], none: null },
    };
  });
  await ask(`${url}/collections/memories/points?wait=true`, { points }, false);
}

async function ask(url: string, body: unknown, mayFail: boolean): Promise<void> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url, { method: "PUT", headers, body: JSON.stringify(body) });
  if (!answer.ok && !mayFail) throw new Error(`${url}: ${await answer.text()}`);
}
