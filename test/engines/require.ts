import { EngineMissing } from "./missing.ts";
import { programs, servers } from "./registry.ts";
import type { ProgramName, Servers } from "./registry.ts";

/** A program for tests. `missing` is for `describe.skipIf`; `path` must not be used when it is set. */
export interface TestProgram {
  readonly missing: string | undefined;
  readonly path: string;
}

/** A server for tests. `missing` is for `describe.skipIf`; `start` must not be called when it is set. */
export interface TestEngine<Start> {
  readonly missing: string | undefined;
  /** `start` gives a server that existed before: options have no effect, it cannot be killed, and it may hold other data. */
  readonly existing: boolean;
  /** Starts an own server; or, when its URL variable is set, gives the existing one and ignores the options. */
  readonly start: Start;
}

/**
 * A program that tests run, installed on the first call. Use it at the top of a test file:
 *
 *     const restic = await program("restic-0.18.0");
 *     describe.skipIf(restic.missing)("…", () => { … execFile(restic.path, …) … });
 *
 * Where it cannot be had, one line says why and `missing` is set; with `CI=true` or `MEMKEEP_REQUIRE_ENGINES=1` this
 * throws instead, so that a suite which silently checks nothing cannot pass there.
 */
export async function program(name: ProgramName): Promise<TestProgram> {
  let path = "";
  const reason = await missing(name, async () => (path = await programs[name]()));
  return { missing: reason, path };
}

/**
 * A server that tests use, installed on the first call; the rules for a missing one are those of `program`:
 *
 *     const postgres = await engine("postgres-16");
 *     describe.skipIf(postgres.missing)("…", () => {
 *       test("…", async () => {
 *         await using server = await postgres.start();
 *         … server.url …
 */
export async function engine<Name extends keyof Servers>(
  name: Name,
): Promise<TestEngine<Servers[Name]["start"]>> {
  const server: Servers[Name] = servers[name];
  const url = process.env[server.urlVariable];
  if (url) return { missing: undefined, existing: true, start: () => Promise.resolve(server.existing(url)) };
  return { missing: await missing(name, server.ensure), existing: false, start: server.start };
}

/** The reason why `ensure` cannot install `name`, said on stderr, or undefined. Throws what is no `EngineMissing`, or all in CI. */
async function missing(name: string, ensure: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await ensure();
    return undefined;
  } catch (error) {
    if (!(error instanceof EngineMissing) || enginesAreRequired()) throw error;
    process.stderr.write(`skipped: ${name} is missing: ${error.message.replaceAll(/\s+/g, " ")}\n`);
    return error.message;
  }
}

function enginesAreRequired(): boolean {
  return process.env["CI"] === "true" || process.env["MEMKEEP_REQUIRE_ENGINES"] === "1";
}
