/** The one place that turns an outcome into an exit code, and the only one that ends the process. */
import { CommanderError } from "commander";
import { ExitCode, MemkeepError, reasonOf } from "../domain/errors.ts";
import type { Failure } from "./output/reporter.ts";
import type { Pipe } from "./output/pipe.ts";

/** What each exit code means, for help texts: the words of the documented table. */
export const exitMeanings: Readonly<Record<ExitCode, string>> = {
  [ExitCode.done]: "done, healthy",
  [ExitCode.warnings]: "warnings: something needs attention, nothing is lost",
  [ExitCode.failed]: "errors: the operation failed, or something is damaged",
  [ExitCode.partial]: "partial: some repositories or optional stores succeeded, some did not",
  [ExitCode.noRepository]: "there is no repository at that place",
  [ExitCode.locked]: "the repository is locked",
  [ExitCode.wrongPassword]: "the password is wrong",
  [ExitCode.usage]: "wrong usage or configuration",
  [ExitCode.interrupted]: "interrupted",
};

/** Any thrown value as it is told. What nobody foresaw is exit 2, with its stack under `--verbose` alone. */
export function failureOf(thrown: unknown, options: { verbose: boolean; signal: AbortSignal }): Failure {
  const error = rootOf(thrown, options.signal);
  if (error instanceof MemkeepError) {
    return {
      code: error.code,
      exitCode: error.exitCode,
      message: error.message,
      next: error.next,
      details: error.details,
      stack: options.verbose ? chainOf(error) : undefined,
    };
  }
  if (error instanceof CommanderError) return usageFailure(error);
  return {
    code: "UNEXPECTED",
    exitCode: ExitCode.failed,
    message: `something unexpected happened: ${reasonOf(error)}`,
    next: options.verbose
      ? "This is a fault in memkeep. Please report it to the project with these lines."
      : "This is a fault in memkeep. Please run it again with --verbose, and report it to the project with what it prints.",
    details: undefined,
    stack: options.verbose ? chainOf(error) : undefined,
  };
}

/** Clean-up that fails too wraps the reason in a SuppressedError; what an abort stopped is told as the interruption. */
function rootOf(thrown: unknown, signal: AbortSignal): unknown {
  if (thrown instanceof SuppressedError) return rootOf(thrown.suppressed, signal);
  if (signal.aborted && thrown instanceof Error && thrown.name === "AbortError") return signal.reason;
  return thrown;
}

function chainOf(error: unknown): string {
  const lines: string[] = [];
  for (let at: unknown = error; at instanceof Error && lines.length < 5; at = at.cause) {
    lines.push(`${lines.length === 0 ? "" : "caused by: "}${at.stack ?? at.message}`);
  }
  return lines.join("\n");
}

function usageFailure(error: CommanderError): Failure {
  const [message = "", hint] = error.message.replace(/^error: /, "").split("\n");
  return {
    code: "USAGE",
    exitCode: ExitCode.usage,
    message,
    next: hint === undefined ? "Add --help to see what there is." : hint.replace(/^\((.*)\)$/, "$1"),
    details: undefined,
    stack: undefined,
  };
}

/** True when commander ended because it showed what was asked for: help, or the version. */
export function isShown(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 0;
}

/** Ends the process once everything written has left it. A result that could not be written whole is no success. */
export async function leave(exitCode: ExitCode, stdout: Pipe, stderr: Pipe): Promise<never> {
  await stdout.flush();
  if (stdout.failure !== undefined && exitCode === ExitCode.done) {
    stderr.write(`error: could not write the result: ${stdout.failure.message}\n`);
    await stderr.flush();
    process.exit(ExitCode.failed);
  }
  await stderr.flush();
  process.exit(exitCode);
}

/** For the second Ctrl-C: at once, without any clean-up. What was stored stays usable. */
export function leaveAtOnce(): never {
  process.exit(ExitCode.interrupted);
}
