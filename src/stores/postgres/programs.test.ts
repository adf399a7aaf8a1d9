/** Databases that other programs made themselves: LangGraph's checkpointer, as an agent uses it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { engine, program } from "../../../test/engines/require.ts";
import { compareFacts } from "../../domain/compare-facts.ts";
import type { RestoreOptions } from "../store.ts";
import { createDatabase, databaseUrl, sql, useBench } from "../../../test/postgres/testing.ts";

const postgres16 = await engine("postgres-16");
const langgraph = await program("langgraph-postgres");

const agent = `
import sys
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.postgres import PostgresSaver
with PostgresSaver.from_conn_string(sys.argv[1]) as saver:
    saver.setup()
    for n in range(30):
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"messages": ["said %d" % n, "x" * 3000, None], "raw": b"\\x00\\xff" * 9}
        checkpoint["channel_versions"] = {"messages": str(n), "raw": str(n)}
        config = {"configurable": {"thread_id": "thread-%d" % (n % 3), "checkpoint_ns": ""}}
        at = saver.put(config, checkpoint, {"source": "loop", "step": n}, checkpoint["channel_versions"])
        saver.put_writes(at, [("messages", {"answer": n})], "task-%d" % n)
`;
const reader = `
import sys
from langgraph.checkpoint.postgres import PostgresSaver
with PostgresSaver.from_conn_string(sys.argv[1]) as saver:
    for t in sorted(saver.list(None), key=lambda t: t.metadata["step"]):
        print(t.metadata["step"], t.checkpoint["channel_values"]["messages"][0], len(t.checkpoint["channel_values"]["raw"]), t.pending_writes)
`;

describe.skipIf(postgres16.missing ?? langgraph.missing)("LangGraph's PostgreSQL checkpointer", () => {
  const bench = useBench(() => postgres16.start());
  const { connect, dumped, stage } = bench;
  async function run(script: string, url: string): Promise<string> {
    const { stdout } = await promisify(execFile)(langgraph.path, ["-c", script, url]);
    return stdout;
  }

  it("a restored memory is read by it, and a merge brings back what was lost while it goes on", async () => {
    await using database = await createDatabase(bench.server.url);
    await run(agent, database.url);
    const before = await run(reader, database.url);
    expect(before.split("\n").length).toBe(31);
    await using store = await connect(database.url);
    const { dump, manifest } = await dumped(store);
    const source = dump.source(manifest);
    const copy = databaseUrl(bench.server.url, `${database.name}_copy`);
    const into: RestoreOptions = { target: { kind: "into", target: copy }, force: false };
    {
      await using restoration = await stage(store, source, into);
      expect(compareFacts(manifest.collections, await restoration.facts())).toEqual([]);
      await restoration.switch();
      await restoration.keep();
    }
    expect(await run(reader, copy)).toBe(before);
    await sql(
      database.url,
      "DELETE FROM checkpoints WHERE thread_id = 'thread-1'; DELETE FROM checkpoint_blobs; UPDATE checkpoint_writes SET blob = ''",
    );
    const merge: RestoreOptions = { target: { kind: "in-place" }, force: false, mode: "merge" };
    await using restoration = await stage(store, source, merge);
    expect(compareFacts(restoration.expected!, await restoration.facts())).toEqual([]);
    await restoration.switch();
    await restoration.keep();
    expect(await run(reader, database.url)).toBe(before);
  });
});
