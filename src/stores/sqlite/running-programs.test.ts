/** Databases of real programs, while these run: LangGraph's checkpointer (Rose's memory), and sqlite-vec's vector tables. */
import { execFile, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { program } from "../../../test/engines/require.ts";
import { endScript, storeAt, temporaryFolder, untilReady } from "../../../test/sqlite/processes.ts";
import { takeDump } from "../contract/dump-folder.ts";
import type { DumpSource, RestoreOptions, Store } from "../store.ts";

const langgraph = await program("langgraph");

/** An agent that never rests: a checkpoint and a write a step, in seven sessions. */
const agent = `
import sys
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver
with SqliteSaver.from_conn_string(sys.argv[1]) as saver:
    last = {}
    n = 0
    while True:
        thread = f"session-{n % 7}"
        config = last.get(thread, {"configurable": {"thread_id": thread, "checkpoint_ns": ""}})
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"messages": [f"the user said {n}", 2**63 - 1, 0.1, b"\\x00\\xff"]}
        last[thread] = saver.put(config, checkpoint, {"source": "loop", "step": n // 7, "parents": {}}, {})
        saver.put_writes(last[thread], [("messages", f"answer {n}")], "task")
        n += 1
        if n == 100: print("ready", flush=True)
`;

/** The library's own view of a file: for each session how many checkpoints, and that each has its parent and its write. */
const reader = `
import json, sys
from langgraph.checkpoint.sqlite import SqliteSaver
with SqliteSaver.from_conn_string(sys.argv[1]) as saver:
    sessions = {}
    for found in saver.list(None):
        sessions.setdefault(found.config["configurable"]["thread_id"], []).append(found)
    for found in sessions.values():
        ids = {one.config["configurable"]["checkpoint_id"] for one in found}
        steps = sorted(one.metadata["step"] for one in found)
        assert steps == list(range(len(found))), steps
        for one in found:
            assert one.checkpoint["channel_values"]["messages"][1:] == [2**63 - 1, 0.1, b"\\x00\\xff"]
            assert (one.parent_config is None) == (one.metadata["step"] == 0)
            assert one.parent_config is None or one.parent_config["configurable"]["checkpoint_id"] in ids
    print(json.dumps({thread: len(found) for thread, found in sessions.items()}))
`;

async function restored(store: Store, source: DumpSource, target: string): Promise<void> {
  const options: RestoreOptions = { target: { kind: "into", target }, force: false };
  const plan = await store.planRestore(source, options);
  await using restoration = await store.stage(plan, source, options);
  expect(await restoration.facts()).toEqual(source.manifest.collections);
  await restoration.switch();
  await restoration.keep();
}

describe.skipIf(langgraph.missing)("programs at work", () => {
  it("LangGraph's memory comes back as LangGraph itself reads it, and its process is named before a restore", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "memory.db");
    const running = spawn(langgraph.path, ["-c", agent, path], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await untilReady(running);
      await using store = storeAt(path);
      const { dump, manifest } = await takeDump(store, join(folder, "dump"));
      const source = dump.source(manifest);
      const target = join(folder, "restored.db");
      await restored(store, source, target);

      const { stdout } = await promisify(execFile)(langgraph.path, ["-c", reader, target]);
      const sessions = JSON.parse(stdout) as Record<string, number>;
      const total = Object.values(sessions).reduce((sum, count) => sum + count, 0);
      expect(Object.keys(sessions)).toHaveLength(7);
      expect(total).toBe(manifest.collections.find(({ name }) => name === "checkpoints")!.records);

      const plan = await store.planRestore(source, { target: { kind: "in-place" }, force: false });
      expect(plan.obstacles).toMatchObject([
        { text: expect.stringContaining(`process ${running.pid} (python3`) as string, overridable: true },
      ]);
    } finally {
      await endScript(running);
    }
    // Killed in the middle of its work: what it had committed is all there.
    await using store = storeAt(path);
    const { dump, manifest } = await takeDump(store, join(folder, "dump-after"));
    await restored(store, dump.source(manifest), join(folder, "after.db"));
    await promisify(execFile)(langgraph.path, ["-c", reader, join(folder, "after.db")]);
  });

  it("law 1: sqlite-vec's vectors answer the same after a restore, with the rows that they are joined to", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "memory.db");
    const open = (at: string): DatabaseSync => {
      const db = new DatabaseSync(at, { allowExtension: true, defensive: false });
      db.loadExtension(join(dirname(langgraph.path), "sqlite_vec", "vec0.so"));
      return db;
    };
    const nearest = `SELECT id, text, distance FROM (SELECT rowid AS n, distance FROM vectors WHERE embedding MATCH vec_f32('[0.1, 0.9, 0.2, 0.4]')
      AND k = 7) JOIN memories ON memories.rowid = n ORDER BY distance`;
    using app = open(path);
    app.exec(`PRAGMA journal_mode = WAL; CREATE TABLE memories(id TEXT PRIMARY KEY, text TEXT);
      CREATE VIRTUAL TABLE vectors USING vec0(embedding float[4]);`);
    const memory = app.prepare("INSERT INTO memories VALUES (?, ?)");
    const vector = app.prepare("INSERT INTO vectors(rowid, embedding) VALUES (?, ?)");
    for (let n = 0; n < 2000; n++) {
      const { lastInsertRowid } = memory.run(`memory-${n}`, `text ${n}`);
      vector.run(
        BigInt(lastInsertRowid),
        new Uint8Array(Float32Array.from({ length: 4 }, (_, at) => Math.sin(n * 7 + at)).buffer),
      );
    }
    app.exec("DELETE FROM memories WHERE rowid % 3 = 0; DELETE FROM vectors WHERE rowid % 3 = 0");
    const before = app.prepare(nearest).all();
    expect(before).toHaveLength(7);

    await using store = storeAt(path);
    const { dump, manifest } = await takeDump(store, join(folder, "dump"));
    expect(manifest.collections.map(({ name }) => name)).toContain("vectors_vector_chunks00");
    const target = join(folder, "restored.db");
    await restored(store, dump.source(manifest), target);
    using copy = open(target);
    expect(copy.prepare(nearest).all()).toEqual(before);
  });
});
