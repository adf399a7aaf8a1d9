/** Loads an archive into a database: pg_restore reads it from its standard input, section by section. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MemkeepError } from "../../domain/errors.ts";
import { type Program, feed, startProgram } from "../../util/exec/program.ts";
import type { DumpSource } from "../store.ts";
import { type ArchiveContents, readContents } from "./archive/contents.ts";
import { childEnvironment, databaseArgument } from "./child-environment.ts";
import type { Connection } from "./connection.ts";
import { checkedBytes } from "./decode.ts";
import { withoutPassword } from "./failure.ts";
import { withoutNewSettings } from "./script.ts";
import { type Tools, toolPath } from "./tools.ts";
import type { Surroundings } from "./view.ts";
import { archiveFile } from "./dump-files.ts";

export type Section = "pre-data" | "data" | "post-data";
export const allSections: readonly Section[] = ["pre-data", "data", "post-data"];

export interface LoadOptions {
  readonly tools: Tools;
  readonly serverMajor: number;
  readonly contentsBytes: number;
  /** Ids of the entries to restore, in the archive's order. */
  readonly entries: readonly number[];
  readonly withoutOwners: boolean;
  readonly withoutTablespaces: boolean;
  /** The whole archive as a file that was checked; undefined: it is streamed. */
  readonly spooled?: string | undefined;
}

/** The archive's table of contents. */
export async function contentsOf(source: DumpSource, contentsBytes: number): Promise<ArchiveContents> {
  const parts: Buffer[] = [];
  for await (const part of source.read(archiveFile, { offset: 0, length: contentsBytes }))
    parts.push(Buffer.from(part));
  const contents = readContents(Buffer.concat(parts));
  if (contents) return contents;
  throw new MemkeepError("DUMP_DAMAGED", {
    tried: `read the dump file ${archiveFile}`,
    happened: "its table of contents is cut off",
  });
}

/** Restores one section. Rejects with `TOOL_FAILED` at the first statement that fails, `DUMP_DAMAGED` when the archive is not whole. */
export async function loadSection(
  section: Section,
  target: Connection,
  source: DumpSource,
  options: LoadOptions,
  surroundings: Surroundings,
): Promise<void> {
  const { context } = surroundings;
  const list = join(context.spoolFolder, `${context.name}-${section}.list`);
  await writeFile(list, options.entries.map((id) => `${id};\n`).join(""), { mode: 0o600 });
  try {
    const args = restoreArguments(options, [`--section=${section}`, `--use-list=${list}`]);
    if (options.spooled !== undefined && !needsScript(options)) {
      await loadInParallel([...args, options.spooled], target, options, surroundings);
      return;
    }
    // Only the rows stand behind the table of contents.
    const bytes =
      section === "data"
        ? watched(checkedBytes(source, archiveFile), source, surroundings)
        : source.read(archiveFile, { offset: 0, length: options.contentsBytes });
    const load = needsScript(options) ? loadAsScript : loadDirectly;
    await load(args, bytes, target, options, surroundings);
  } finally {
    await rm(list, { force: true });
  }
}

/** pg_restore from 17 on sets a parameter that older servers do not know. */
function needsScript({ tools, serverMajor }: LoadOptions): boolean {
  return tools.major >= 17 && serverMajor < 17;
}

async function loadInParallel(
  args: readonly string[],
  target: Connection,
  { tools }: LoadOptions,
  surroundings: Surroundings,
): Promise<void> {
  const { config, context, environment } = surroundings;
  await using program = await startProgram(
    toolPath(tools, "pg_restore"),
    [`--jobs=${config.restoreJobs}`, `--dbname=${databaseArgument(target.database)}`, ...args],
    { env: childEnvironment(target, environment, loadSettings(surroundings)), signal: context.signal },
  );
  program.stdin.end();
  program.stdout.resume();
  await refuseFailed(program, "pg_restore", target, surroundings);
}

export function restoreArguments(
  options: Pick<LoadOptions, "withoutOwners" | "withoutTablespaces">,
  more: readonly string[],
): string[] {
  const args = ["--exit-on-error", "--no-password", ...more];
  if (options.withoutOwners) args.push("--no-owner", "--no-acl");
  if (options.withoutTablespaces) args.push("--no-tablespaces");
  return args;
}

/** Memory and workers for index builds, where the configuration says them. */
export function loadSettings({ config }: Surroundings): Record<string, string> {
  return {
    ...(config.indexMemory === undefined ? {} : { maintenance_work_mem: config.indexMemory }),
    ...(config.indexWorkers === undefined
      ? {}
      : { max_parallel_maintenance_workers: String(config.indexWorkers) }),
    statement_timeout: "0",
    lock_timeout: "0",
    idle_in_transaction_session_timeout: "0",
  };
}

type Load = (
  args: readonly string[],
  bytes: AsyncIterable<Uint8Array>,
  target: Connection,
  options: LoadOptions,
  surroundings: Surroundings,
) => Promise<void>;

const loadDirectly: Load = async (args, bytes, target, { tools }, surroundings) => {
  await using program = await startProgram(
    toolPath(tools, "pg_restore"),
    [...args, `--dbname=${databaseArgument(target.database)}`],
    {
      env: childEnvironment(target, surroundings.environment, loadSettings(surroundings)),
      signal: surroundings.context.signal,
    },
  );
  program.stdout.resume();
  await feed(program, bytes);
  await refuseFailed(program, "pg_restore", target, surroundings);
};

/**
 * pg_restore would stop at the parameter that the server does not know. So it writes the script instead, and psql runs
 * it without that line.
 */
const loadAsScript: Load = async (args, bytes, target, { tools }, surroundings) => {
  const { signal } = surroundings.context;
  const env = childEnvironment(target, surroundings.environment, loadSettings(surroundings));
  await using writer = await startProgram(toolPath(tools, "pg_restore"), [...args, "--file=-"], {
    env,
    signal,
  });
  await using runner = await startProgram(
    toolPath(tools, "psql"),
    [
      "--no-psqlrc",
      "--quiet",
      "--no-password",
      "--set=ON_ERROR_STOP=1",
      `--dbname=${databaseArgument(target.database)}`,
    ],
    { env, signal },
  );
  runner.stdout.resume();
  const running = feed(runner, withoutNewSettings(writer.stdout));
  const ended = runner.ended.then(() => writer.stdout.destroy());
  await Promise.all([feed(writer, bytes), running, ended]);
  await refuseFailed(runner, "psql", target, surroundings);
  await refuseFailed(writer, "pg_restore", target, surroundings);
};

export async function refuseFailed(
  program: Program,
  name: string,
  target: Connection,
  { context }: Surroundings,
): Promise<void> {
  const { code } = await program.ended;
  context.signal.throwIfAborted();
  if (code === 0) return;
  const said = withoutPassword(program.stderr(), target).trim().split("\n");
  const errors = said.filter((line) => /error|fatal/i.test(line));
  throw new MemkeepError("TOOL_FAILED", {
    tried: `restore into ${target.database} with ${name}`,
    happened:
      (errors.length > 0 ? errors : said).slice(0, 3).join(" ").slice(0, 1000) || "it was ended from outside",
  });
}

async function* watched(
  bytes: AsyncIterable<Buffer>,
  source: DumpSource,
  { context }: Surroundings,
): AsyncGenerator<Buffer> {
  const total = source.manifest.files.find(({ path }) => path.endsWith(`/${archiveFile}`))?.sizeBytes;
  let done = 0;
  for await (const piece of bytes) {
    context.signal.throwIfAborted();
    yield piece;
    done += piece.length;
    context.observer.progress(context.name, done, total, "bytes");
  }
}
