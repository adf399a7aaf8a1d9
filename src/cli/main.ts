/** The command line's beginning and end: the command is found and run, and how it ended is told. */
import { setFlagsFromString } from "node:v8";
import type { Command } from "commander";
import { ExitCode } from "../domain/errors.ts";
import { Redactor } from "../util/redact/redactor.ts";
import { readVersion } from "../util/version/version.ts";
import type { CommandModule, CommandOptions } from "./command.ts";
import { commandTable } from "./command-table.ts";
import type { CommonOptions } from "./context.ts";
import { failureOf, isShown, leave } from "./exit.ts";
import { Pipe } from "./output/pipe.ts";
import { buildProgram } from "./program.ts";
import type { Reporter } from "./output/reporter.ts";
import { describeTerminal } from "./output/terminal.ts";
import { listenForSignals } from "./signals.ts";

// Young objects hold buffers that a collection frees: a space for them that grows to its usual 32 MiB keeps 100 MB of dead
// buffers, for no speed (law 11).
setFlagsFromString("--semi-space-growth-factor=1");

const stdout = new Pipe(process.stdout);
const stderr = new Pipe(process.stderr);
const redactor = new Redactor();
const environment = { ...process.env };
const version = readVersion();
/** Made when there is something to tell, which help is not; errors before the options are known are told as the arguments look. */
let reporter: Reporter | undefined;
let verbose = process.argv.includes("--verbose") || process.argv.includes("-v");
let signal = new AbortController().signal;

process.on("uncaughtException", (error) => {
  void fail(error);
});
await run(process.argv);

async function run(argv: readonly string[]): Promise<void> {
  signal = listenForSignals((text) => reporter?.note(text));
  let exitCode: ExitCode = ExitCode.done;
  const program = buildProgram({
    version,
    columns: describeTerminal(process, environment, false).columns,
    write: (text) => stdout.write(text),
    async run(module, command) {
      exitCode = await runCommand(module, command);
    },
  });
  try {
    await program.parseAsync(withHelpLast(argv));
    reporter?.close();
    await leave(exitCode, stdout, stderr);
  } catch (error) {
    if (isShown(error)) await leave(ExitCode.done, stdout, stderr);
    await fail(error);
  }
}

async function fail(error: unknown): Promise<never> {
  const failure = failureOf(error, { verbose, signal });
  reporter ??= await makeReporter(guessOptions(process.argv));
  reporter.close();
  reporter.fail(failure);
  return leave(failure.exitCode as ExitCode, stdout, stderr);
}

async function runCommand(module: CommandModule, command: Command): Promise<ExitCode> {
  const options = command.optsWithGlobals<CommonOptions>();
  verbose = options.verbose === true;
  reporter = await makeReporter(options);
  const { Context } = await import("./context.ts");
  const { systemClock } = await import("../util/clock/clock.ts");
  const context = new Context({
    options,
    environment,
    reporter,
    stdout,
    redactor,
    clock: systemClock,
    signal,
    program: `memkeep ${version}`,
    commands: commandTable,
  });
  return module.run(context, command.args, command.opts<CommandOptions>());
}

async function makeReporter(options: Partial<CommonOptions>): Promise<Reporter> {
  const parts = { stdout, stderr, redactor, verbose: options.verbose === true };
  if (options.json === true) {
    const { createJsonReporter } = await import("./output/json-reporter.ts");
    return createJsonReporter(parts);
  }
  const { createTextReporter } = await import("./output/text-reporter.ts");
  const { styleFor } = await import("./output/style.ts");
  const { systemClock } = await import("../util/clock/clock.ts");
  const terminal = describeTerminal(process, environment, options.color === false);
  return createTextReporter({
    ...parts,
    terminal,
    style: styleFor(terminal),
    clock: systemClock,
    quiet: options.quiet === true,
  });
}

/** Before anything is parsed: how an error in the arguments themselves is to be told. */
function guessOptions(argv: readonly string[]): Partial<CommonOptions> {
  return {
    json: argv.includes("--json"),
    verbose: argv.includes("--verbose") || argv.includes("-v"),
    color: !argv.includes("--no-color"),
  };
}

/** `memkeep help backup` is `memkeep backup --help`, since a command's options are known only once it is loaded. */
function withHelpLast(argv: readonly string[]): string[] {
  const [node = "", script = "", first, ...rest] = argv;
  if (first === undefined) return [node, script, "--help"];
  return first === "help" ? [node, script, ...rest, "--help"] : [...argv];
}
