/** Runs a program and gives what it printed. No shell: arguments are passed as they are (law 12). */
import { spawn } from "node:child_process";

export interface CaptureOptions {
  readonly timeoutMs: number;
  /** More output than this ends the program. */
  readonly maxOutputBytes: number;
  readonly signal: AbortSignal;
}

export type Captured =
  | { readonly kind: "ended"; readonly code: number | null; readonly output: Buffer }
  | { readonly kind: "not-started"; readonly reason: string }
  | { readonly kind: "timed-out" }
  | { readonly kind: "too-much" };

/**
 * What the program wrote to its standard output. Its standard error goes to ours, so that a question it asks (for a
 * passphrase, a touch) is seen; its standard input is ours too. Rejects with the signal's reason when it aborts.
 */
export function captureOutput(argv: readonly string[], options: CaptureOptions): Promise<Captured> {
  options.signal.throwIfAborted();
  const [program = "", ...rest] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { stdio: ["inherit", "pipe", "inherit"], shell: false });
    const parts: Buffer[] = [];
    let bytes = 0;
    let outcome: Captured | undefined;
    function end(why: Captured): void {
      outcome ??= why;
      child.kill("SIGKILL");
      // A grandchild may hold the pipe open for ever.
      child.stdout.destroy();
    }
    const timer = setTimeout(() => end({ kind: "timed-out" }), options.timeoutMs);
    function onAbort(): void {
      end({ kind: "timed-out" });
    }
    options.signal.addEventListener("abort", onAbort, { once: true });
    child.stdout.on("data", (part: Buffer) => {
      bytes += part.length;
      if (bytes > options.maxOutputBytes) end({ kind: "too-much" });
      else parts.push(part);
    });
    child.on("error", (error) => finish({ kind: "not-started", reason: error.message }));
    child.on("close", (code) => finish(outcome ?? { kind: "ended", code, output: Buffer.concat(parts) }));
    function finish(captured: Captured): void {
      clearTimeout(timer);
      options.signal.removeEventListener("abort", onAbort);
      if (options.signal.aborted) reject(options.signal.reason as Error);
      else resolve(captured);
    }
  });
}
