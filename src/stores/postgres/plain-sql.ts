/** The archive as plain SQL, for psql: written by pg_restore, without any database. */
import { startProgram, feed } from "../../util/exec/program.ts";
import { MemkeepError } from "../../domain/errors.ts";
import type { DumpSource } from "../store.ts";
import { contentsOf } from "./archive-loader.ts";
import { checkedBytes, readTables } from "./decode.ts";
import { archiveFile } from "./dump-files.ts";
import type { Environment } from "./parameters.ts";
import { withoutNewSettings } from "./script.ts";
import { chooseTools, findTools, toolPath } from "./tools.ts";

/** See `StoreKind.plainSql`. */
export async function* plainSql(
  source: DumpSource,
  signal: AbortSignal,
  environment: Environment,
): AsyncGenerator<Buffer> {
  const { contentsBytes } = await readTables(source);
  const { toolVersion } = await contentsOf(source, contentsBytes);
  const major = Number.parseInt(toolVersion, 10);
  const tools = chooseTools(
    await findTools([], environment),
    major,
    `the dump was written by pg_dump ${toolVersion}`,
  );
  await using writer = await startProgram(
    toolPath(tools, "pg_restore"),
    ["--file=-"],
    // Nothing is connected to: it needs only its own libraries.
    { env: { PATH: environment["PATH"] ?? "/usr/bin:/bin" }, signal },
  );
  let failed: { readonly error: unknown } | undefined;
  const feeding = feed(writer, checkedBytes(source, archiveFile)).catch(async (error: unknown) => {
    failed = { error };
    await writer.stop();
  });
  const isOlder = Number.parseInt(source.manifest.engine.version, 10) < 17;
  try {
    const script = writer.stdout as AsyncIterable<Buffer>;
    yield* isOlder ? withoutNewSettings(script) : script;
  } catch (error) {
    failed ??= { error };
  }
  await feeding;
  signal.throwIfAborted();
  if (failed) throw failed.error;
  const { code } = await writer.ended;
  if (code === 0) return;
  throw new MemkeepError("TOOL_FAILED", {
    tried: "write the dump as SQL with pg_restore",
    happened: writer.stderr().trim().slice(0, 1000) || "it was ended from outside",
  });
}
