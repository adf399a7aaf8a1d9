/** Law 11 on the real process: more data than may be held in memory goes through it. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeFolder, removeFolder, runMemkeep } from "./run-memkeep.ts";

const dataBytes = 400e6;
/**
 * The law's 300 MB are measured by the benchmarks on the compiled program. From source Node holds its type stripper too (18 MB),
 * and a busy machine collects late; what held its data would have 400 MB more.
 */
const mostBytes = 340e6;

/** Tells at the end of the program what it had resident at its largest, in KiB. */
const teller = `import { isMainThread } from "node:worker_threads";
if (isMainThread) process.on("exit", () => process.stderr.write("resident " + process.resourceUsage().maxRSS + "\\n"));`;

let folder: string;
beforeAll(async () => {
  folder = await makeFolder();
  using db = new DatabaseSync(join(folder, "memory.db"));
  db.exec(`CREATE TABLE memories(id INTEGER PRIMARY KEY, vector BLOB);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${dataBytes / 4000})
    INSERT INTO memories SELECT i, randomblob(3900) FROM n`);
});
afterAll(() => removeFolder(folder));

async function residentBytes(...args: readonly string[]): Promise<number> {
  const repository = args[0] === "copy" || args.includes("-r") ? [] : ["-r", "./backups"];
  const { code, stderr } = await runMemkeep([...args, ...repository], {
    cwd: folder,
    env: {
      MEMKEEP_PASSWORD: "correct horse battery 9",
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(teller)}`,
    },
  });
  expect(code, stderr).toBe(0);
  return Number(/resident (\d+)/.exec(stderr)![1]) * 1024;
}

test("law 11: backup, copy, verify and restore of 400 MB hold no more than they do for little", async () => {
  await residentBytes("init");
  expect(await residentBytes("backup", "--store", "./memory.db")).toBeLessThan(mostBytes);
  await residentBytes("init", "-r", "./other");
  expect(await residentBytes("copy", "--from", "./backups", "--to", "./other")).toBeLessThan(mostBytes);
  expect(await residentBytes("verify", "--level", "stored")).toBeLessThan(mostBytes);
  await rm(join(folder, "memory.db"));
  expect(await residentBytes("restore", "latest", "--store", "./memory.db", "--apply")).toBeLessThan(
    mostBytes,
  );
}, 600_000);
