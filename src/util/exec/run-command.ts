/** Runs a program of the user's with a time limit. No shell: arguments are passed as they are (law 12). */
import { spawn } from "node:child_process";

export type CommandEnd =
  | { readonly kind: "ended"; readonly code: number | null }
  | { readonly kind: "not-started"; readonly reason: string }
  | { readonly kind: "timed-out" };

/**
 * What it prints goes to our standard error: standard output is for data. It reads nothing. Past its time it is killed,
 * and so is it when `signal` aborts; then the promise rejects with the signal's reason.
 */
export function runCommand(
  argv: readonly string[],
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<CommandEnd> {
  options.signal?.throwIfAborted();
  const [program = "", ...rest] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { stdio: ["ignore", process.stderr.fd, "inherit"], shell: false });
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, options.timeoutMs);
    const onAbort = (): void => void child.kill("SIGKILL");
    options.signal?.addEventListener("abort", onAbort, { once: true });
    child.once("error", (error) => finish({ kind: "not-started", reason: error.message }));
    child.once("exit", (code) => finish(timedOut ? { kind: "timed-out" } : { kind: "ended", code }));
    function finish(end: CommandEnd): void {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", onAbort);
      if (options.signal?.aborted === true) reject(options.signal.reason as Error);
      else resolve(end);
    }
  });
}
