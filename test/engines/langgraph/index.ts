import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { installed } from "../cache.ts";
import { installPython } from "../pypi.ts";

/**
 * The path of a Python that has LangGraph's SQLite checkpointer (Rose's memory), installed on the first call. Beside it, in
 * `sqlite_vec/`, lies the extension that its vector tables need.
 */
export async function langgraphPython(): Promise<string> {
  const folder = await installed("langgraph-checkpoint-sqlite-3.1.2", async (into) => {
    await installPython(["langgraph-checkpoint-sqlite==3.1.2", "sqlite-vec==0.1.9"], into);
    const program = join(into, "langgraph-python");
    await writeFile(program, `#!/bin/sh\nPYTHONPATH="\${0%/*}" exec python3 "$@"\n`);
    await chmod(program, 0o755);
  });
  return join(folder, "langgraph-python");
}

/** The path of a Python that has LangGraph's PostgreSQL checkpointer, installed on the first call. */
export async function langgraphPostgresPython(): Promise<string> {
  const folder = await installed("langgraph-checkpoint-postgres-3.2.0", async (into) => {
    await installPython(["langgraph-checkpoint-postgres==3.2.0", "psycopg-binary==3.3.9"], into);
    const program = join(into, "langgraph-python");
    await writeFile(program, `#!/bin/sh\nPYTHONPATH="\${0%/*}" exec python3 "$@"\n`);
    await chmod(program, 0o755);
  });
  return join(folder, "langgraph-python");
}
