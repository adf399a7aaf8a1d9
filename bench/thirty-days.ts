/**
 * A month of a SQLite memory: a snapshot a day, each day one memory in a hundred changed or added, against Rose's way (a
 * copy of the file a day). `npm run build && node bench/thirty-days.ts [MEMORIES]`.
 */
import { copyFile, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addMemories, createMemory, recallMemories } from "../src/cli/demo/agent-memory.ts";
import { folderBytes, measure } from "./measure.ts";

const memories = Number(process.argv[2] ?? 30_000);
const days = 30;
const folder = await mkdtemp(join(tmpdir(), "memkeep-month-"));
const path = join(folder, "memory.db");
const repository = join(folder, "backups");
process.env["MEMKEEP_PASSWORD"] = "bench";
const memkeep = [process.execPath, join(import.meta.dirname, "../dist/cli/main.js")];
try {
  using db = createMemory(path, memories);
  await measure([...memkeep, "init", "-r", repository]);
  let copiesBytes = 0;
  let count = memories;
  for (let day = 1; day <= days; day++) {
    await measure([...memkeep, "backup", "-r", repository, "-s", path]);
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    await copyFile(path, join(folder, "copy.db"));
    copiesBytes += (await stat(join(folder, "copy.db"))).size;
    // One day recalls old memories, the next adds new ones.
    if (day % 2 === 0) recallMemories(db, count, day);
    else {
      addMemories(db, count, count + Math.ceil(count / 100));
      count += Math.ceil(count / 100);
    }
  }
  const storedBytes = await folderBytes(repository);
  console.log(`\n### ${days} daily snapshots, ${memories} memories at the start\n`);
  console.log("| what | bytes |\n|---|---|");
  console.log(`| Rose's ${days} copies | ${(copiesBytes / 1e6).toFixed(0)} MB |`);
  console.log(`| memkeep's repository with ${days} snapshots | ${(storedBytes / 1e6).toFixed(0)} MB |`);
  console.log(`| ratio | 1/${(copiesBytes / storedBytes).toFixed(1)} |`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
