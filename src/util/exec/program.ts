/**
 * Starts a program whose input and output are streams. No shell: arguments are passed as they are (law 12). Arguments
 * and outputs can be seen by other users of the machine, so a secret goes in by the environment only (law 10).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { MemkeepError, reasonOf } from "../../domain/errors.ts";

export interface ProgramOptions {
  /** The whole environment of the program. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends the program when it aborts. */
  readonly signal?: AbortSignal;
}

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A started program. Dispose ends it, and returns when it has ended. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** Fails with EPIPE when the program stops reading; that alone is not an error, see `feed`. */
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly ended: Promise<Ended>;
  /** The end of what it wrote to its standard error. */
  stderr(): string;
  /** Asks it to end (SIGTERM); with SIGKILL when it has not after some seconds. */
  stop(): Promise<void>;
}

const stderrChars = 64 * 1024;
const stopMs = 5_000;

/** Rejects with `TOOL_FAILED` when the program cannot be executed. */
export async function startProgram(
  path: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<Program> {
  options.signal?.throwIfAborted();
  const child = spawn(path, args, { env: options.env, stdio: ["pipe", "pipe", "pipe"], shell: false });
  const ended = new Promise<Ended>((resolve) =>
    child.once("exit", (code, signal) => resolve({ code, signal })),
  );
  // Writing to a program that has gone is answered by its exit code, not by a broken pipe.
  child.stdin.on("error", () => undefined);
  let stderr = "";
  child.stderr
    .setEncoding("utf8")
    .on("data", (text: string) => (stderr = (stderr + text).slice(-stderrChars)));
  const stderrEnded = new Promise<void>((resolve) => child.stderr.once("close", resolve));
  try {
    await once(child, "spawn");
  } catch (cause) {
    throw new MemkeepError("TOOL_FAILED", { tried: `start ${path}`, happened: reasonOf(cause), cause });
  }
  async function stop(): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM");
      // One that is blocked on its output would not look at a signal that it handles.
      child.stdout.destroy();
      const timer = setTimeout(() => child.kill("SIGKILL"), stopMs);
      await ended.finally(() => clearTimeout(timer));
    }
  }
  function onAbort(): void {
    void stop();
  }
  options.signal?.addEventListener("abort", onAbort, { once: true });
  const settled = ended.then(async (outcome) => {
    options.signal?.removeEventListener("abort", onAbort);
    await stderrEnded;
    return outcome;
  });
  return {
    pid: child.pid!,
    stdin: child.stdin,
    stdout: child.stdout,
    ended: settled,
    stderr: () => stderr,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/**
 * Writes all bytes to the program's input and ends it (or not, for more to come). A program that has read enough may end before: when it ended well
 * the rest is read all the same, since a source may check itself at its end. The caller looks at `ended`. Rejects when
 * `bytes` does.
 */
export async function feed(
  program: Program,
  bytes: AsyncIterable<Uint8Array>,
  options: { readonly end: boolean } = { end: true },
): Promise<void> {
  let isGone = false;
  // One listener for all pieces: a reaction for each would pile up for as long as the program runs.
  let wake = (): void => undefined;
  void program.ended.then(() => {
    isGone = true;
    wake();
  });
  for await (const piece of bytes) {
    if (isGone) {
      if ((await program.ended).code === 0) continue;
      return;
    }
    // The piece's memory may be used again once the next one is asked for, so it is written out before.
    await new Promise<void>((resolve) => {
      wake = resolve;
      program.stdin.write(piece, () => resolve());
    });
  }
  if (options.end) program.stdin.end();
}

/** Runs a short program to its end and gives its standard output, up to `maxBytes`. */
export async function outputOf(
  path: string,
  args: readonly string[],
  options: ProgramOptions & { readonly maxBytes: number },
): Promise<{ readonly ended: Ended; readonly stdout: Buffer; readonly stderr: string }> {
  await using program = await startProgram(path, args, options);
  program.stdin.end();
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of program.stdout) {
    sizeBytes += (part as Buffer).length;
    if (sizeBytes > options.maxBytes) {
      throw new MemkeepError("TOOL_FAILED", {
        tried: `run ${path}`,
        happened: `it wrote more than ${options.maxBytes} bytes`,
      });
    }
    parts.push(part as Buffer);
  }
  const ended = await program.ended;
  return { ended, stdout: Buffer.concat(parts), stderr: program.stderr() };
}
