/** What belongs to the whole server: roles without passwords, their settings, tablespaces. */
import { feed, outputOf, startProgram } from "../../util/exec/program.ts";
import { MemkeepError } from "../../domain/errors.ts";
import type { DumpSource } from "../store.ts";
import { childEnvironment, databaseArgument } from "./child-environment.ts";
import { checkedBytes } from "./decode.ts";
import { withoutPassword } from "./failure.ts";
import type { PlannedRestore } from "./restore-plan.ts";
import { type Tools, toolPath } from "./tools.ts";
import type { Surroundings } from "./view.ts";
import { globalsFile } from "./dump-files.ts";

/** A server has some roles, not millions of them. */
const maxBytes = 256 * 2 ** 20;

export type Globals =
  | { readonly kind: "read"; readonly sql: Buffer }
  | { readonly kind: "denied"; readonly why: string };

/** A role that may not read them is no error: the manifest says that they are not there. */
export async function dumpGlobals(
  tools: Tools,
  { connection, environment, context }: Surroundings,
): Promise<Globals> {
  const { ended, stdout, stderr } = await outputOf(
    toolPath(tools, "pg_dumpall"),
    [
      "--globals-only",
      "--no-role-passwords",
      "--no-password",
      `--dbname=${databaseArgument(connection.database)}`,
      `--database=${databaseArgument(connection.database)}`,
    ],
    { env: childEnvironment(connection, environment), signal: context.signal, maxBytes },
  );
  if (ended.code === 0) return { kind: "read", sql: withoutRandom(stdout) };
  context.signal.throwIfAborted();
  const said = withoutPassword(stderr, connection).trim().replaceAll(/\s+/g, " ");
  if (/permission denied/i.test(said)) return { kind: "denied", why: said.slice(0, 300) };
  throw new MemkeepError("TOOL_FAILED", {
    tried: "run pg_dumpall",
    happened: said.slice(-500) || "it was ended from outside",
  });
}

/** A random token in it would make equal roles differ; it guards against names that are commands of psql, which are quoted. */
function withoutRandom(sql: Buffer): Buffer {
  const lines = sql.toString("utf8").split("\n");
  return Buffer.from(lines.filter((line) => !/^\\(un)?restrict [A-Za-z0-9]+$/.test(line)).join("\n"));
}

/**
 * Runs the dump's globals on the target's server. Roles and tablespaces that are there already stay as they are; any
 * other statement that fails is `TOOL_FAILED`. It is not undone by a roll-back: a role more harms nobody.
 */
export async function applyGlobals(
  source: DumpSource,
  { target, tools }: PlannedRestore,
  { environment, context }: Surroundings,
): Promise<void> {
  const isThere = source.manifest.files.some(({ path }) => path.endsWith(`/${globalsFile}`));
  if (!isThere) {
    throw new MemkeepError("STORE_UNSUPPORTED", {
      tried: "restore roles and other globals",
      happened: "the dump does not have them: its role was not allowed to read them",
    });
  }
  await using psql = await startProgram(
    toolPath(tools, "psql"),
    ["--no-psqlrc", "--quiet", "--no-password", `--dbname=${databaseArgument(target.maintenance.database)}`],
    { env: childEnvironment(target.maintenance, environment), signal: context.signal },
  );
  psql.stdout.resume();
  await feed(psql, checkedBytes(source, globalsFile));
  const { code } = await psql.ended;
  const errors = withoutPassword(psql.stderr(), target.connection)
    .split("\n")
    .filter((line) => line.includes("ERROR:") && !/already exists/.test(line));
  if (code === 0 && errors.length === 0) return;
  context.signal.throwIfAborted();
  throw new MemkeepError("TOOL_FAILED", {
    tried: "restore roles and other globals",
    happened: errors.slice(0, 3).join(" ") || "psql was ended from outside",
  });
}
