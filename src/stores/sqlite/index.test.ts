/** SQLite against the contract of all stores. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type ContractDatabase, storeContract } from "../contract/suite.ts";
import { schema } from "./config.ts";
import { sqlite } from "./index.ts";
import { makeSample } from "../../../test/sqlite/sample.ts";

async function create(): Promise<ContractDatabase> {
  const folder = await mkdtemp(join(tmpdir(), "memkeep-sqlite-"));
  const path = join(folder, "memory.db");
  makeSample(path);
  return {
    connect: (context) => sqlite.connect(schema.parse({ path }), context),
    async change() {
      using db = new DatabaseSync(path);
      db.exec(`INSERT INTO memories(id, content) VALUES ('new', 'a new one'); UPDATE memories SET content = 'changed' || char(0)
        WHERE id = 'memory-4'; PRAGMA foreign_keys = OFF; DELETE FROM memories WHERE id = 'memory-3'`);
      return "memories";
    },
    async lose() {
      for (const suffix of ["", "-wal", "-shm"]) await rm(path + suffix, { force: true });
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

storeContract({
  kind: "sqlite",
  adaptor: sqlite,
  logicalDump: false,
  create,
  async emptyTarget(folder) {
    const path = join(folder, "restored.db");
    return { target: path, connect: (context) => sqlite.connect(schema.parse({ path }), context) };
  },
});
