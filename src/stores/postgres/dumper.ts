/** One run of pg_dump whose output is read from its pipe. */
import { MemkeepError, isMemkeepError } from "../../domain/errors.ts";
import { type Program, startProgram } from "../../util/exec/program.ts";
import { childEnvironment } from "./child-environment.ts";
import type { PostgresConfig } from "./config.ts";
import type { Connection } from "./connection.ts";
import { withoutPassword } from "./failure.ts";
import { parseCollectionName, quoteName, quoteTable } from "./names.ts";
import type { Environment } from "./parameters.ts";
import { type Tools, toolPath } from "./tools.ts";

export interface Dumper extends AsyncDisposable {
  /** The archive. Rejects with `TOOL_FAILED` when pg_dump fails: a stream that ended is a whole archive. */
  bytes(): AsyncIterable<Buffer>;
  /** What pg_dump warned of; complete once the bytes have ended. */
  warnings(): string[];
}

export interface DumperOptions {
  readonly tools: Tools;
  /** Of `pg_export_snapshot`; pg_dump takes its own without. */
  readonly snapshot?: string;
  readonly isStandby: boolean;
  /** pg_dump leaves extensions out where only some tables are dumped. */
  readonly withExtensions: boolean;
  /** Leaves out all definitions. */
  readonly dataOnly?: boolean;
}

/**
 * While a lock of ours lies on every table, pg_dump can only have to wait behind a statement that waits for us. So it
 * gives up soon, and we begin again.
 */
const lockWaitMs = 3_000;

/** Returns when pg_dump holds its locks and has written the archive's first bytes. `TOOL_FAILED` when it fails before. */
export async function startDumper(
  connection: Connection,
  {
    config,
    context,
    environment,
  }: { config: PostgresConfig; context: { signal: AbortSignal }; environment: Environment },
  options: DumperOptions,
): Promise<Dumper> {
  const path = toolPath(options.tools, "pg_dump");
  const program = await startProgram(path, dumpArguments(config, options), {
    env: childEnvironment(connection, environment),
    signal: context.signal,
  });
  program.stdin.end();
  const dumper = new RunningDumper(program, connection);
  try {
    await dumper.begin();
    return dumper;
  } catch (error) {
    await program.stop();
    context.signal.throwIfAborted();
    throw error;
  }
}

class RunningDumper implements Dumper {
  readonly #program: Program;
  readonly #connection: Connection;
  readonly #stdout: AsyncIterator<Buffer>;
  #first: IteratorResult<Buffer> | undefined;

  constructor(program: Program, connection: Connection) {
    this.#program = program;
    this.#connection = connection;
    this.#stdout = program.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  async begin(): Promise<void> {
    this.#first = await this.#stdout.next();
    if (this.#first.done === true && (await this.#program.ended).code !== 0) throw this.failed();
  }

  async *bytes(): AsyncGenerator<Buffer> {
    for (let next = this.#first!; next.done !== true; next = await this.#stdout.next()) yield next.value;
    const { code } = await this.#program.ended;
    if (code !== 0) throw this.failed();
  }

  warnings(): string[] {
    const lines = withoutPassword(this.#program.stderr(), this.#connection).split("\n");
    return lines.map((line) => line.trim()).filter((line) => line !== "");
  }

  failed(): MemkeepError {
    const said = this.warnings();
    return new MemkeepError("TOOL_FAILED", {
      tried: "run pg_dump",
      happened: said.length === 0 ? "it was ended from outside" : said.slice(-3).join(" "),
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program.stop();
  }
}

/** Whether pg_dump gave up because it waited too long for a lock. */
export function isLockTimeout(error: unknown): boolean {
  return (
    isMemkeepError(error, "TOOL_FAILED") &&
    /LOCK TABLE|lock timeout|could not obtain lock/i.test(error.message)
  );
}

function dumpArguments(config: PostgresConfig, options: DumperOptions): string[] {
  const args = [
    "--format=custom",
    "--compress=0",
    "--no-password",
    // Names and values in one encoding, whatever the database's; it is set again by a restore.
    "--encoding=UTF8",
    `--lock-wait-timeout=${lockWaitMs}`,
    "--blobs",
    "--strict-names",
  ];
  if (options.snapshot !== undefined) args.push(`--snapshot=${options.snapshot}`);
  if (options.dataOnly === true) args.push("--data-only");
  if (options.isStandby) args.push("--no-unlogged-table-data");
  if (options.withExtensions) args.push("--extension=*");
  const table = (name: string): string => {
    const parsed = parseCollectionName(name);
    return parsed ? quoteTable(parsed.schema, parsed.table) : quoteName(name);
  };
  for (const name of config.schemas ?? []) args.push(`--schema=${quoteName(name)}`);
  for (const name of config.tables ?? []) args.push(`--table=${table(name)}`);
  for (const name of config.excludeSchemas) args.push(`--exclude-schema=${quoteName(name)}`);
  for (const name of config.excludeTables) args.push(`--exclude-table=${table(name)}`);
  for (const name of config.excludeData) args.push(`--exclude-table-data=${table(name)}`);
  return args;
}
