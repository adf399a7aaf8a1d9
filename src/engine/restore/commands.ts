/** The user's commands around a restore in place: stop the application before, start it again after. */
import { MemkeepError, reasonOf } from "../../domain/errors.ts";
import { durationText } from "../../domain/words.ts";
import { runCommand } from "../../util/exec/run-command.ts";
import type { Surroundings } from "../stack.ts";

export interface RestoreCommands {
  readonly before: readonly string[] | undefined;
  readonly after: readonly string[] | undefined;
  readonly limitMs: number;
}

/**
 * Runs `before`, then `work`, then `after`, whatever happened: also when `before` failed or the run was interrupted. A
 * `before` that fails is `TOOL_FAILED`, and `work` is not begun; an `after` that fails is told, and is `TOOL_FAILED` when
 * all else went well.
 */
export async function aroundCommands<Result>(
  commands: RestoreCommands | undefined,
  { observer, signal }: Surroundings,
  work: () => Promise<Result>,
): Promise<Result> {
  if (!commands) return await work();
  const { before, after, limitMs } = commands;
  let result: Result;
  try {
    if (before) {
      observer.step("before", `running ${before[0]}`);
      await runOrThrow(before, limitMs, "before", "Nothing was changed.", signal);
    }
    result = await work();
  } catch (error) {
    await finish().catch((failed: unknown) => observer.warn("after", reasonOf(failed)));
    throw error;
  }
  await finish();
  return result;

  async function finish(): Promise<void> {
    if (!after) return;
    observer.step("after", `running ${after[0]}`);
    // An interrupt has stopped the restore; the application is to run again all the same.
    await runOrThrow(after, limitMs, "after", "What was restored stays. Start the application by hand.");
  }
}

async function runOrThrow(
  argv: readonly string[],
  timeoutMs: number,
  key: "before" | "after",
  next: string,
  signal?: AbortSignal,
): Promise<void> {
  const end = await runCommand(argv, { timeoutMs, ...(signal ? { signal } : {}) });
  if (end.kind === "ended" && end.code === 0) return;
  throw new MemkeepError("TOOL_FAILED", {
    tried: `run restore.${key} of the configuration (${argv[0]})`,
    happened:
      end.kind === "not-started"
        ? `it does not start: ${end.reason}`
        : end.kind === "timed-out"
          ? `it did not end within ${durationText(timeoutMs)}`
          : `it ended with code ${end.code ?? "(a signal)"}`,
    next,
  });
}
