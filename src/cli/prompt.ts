/** Asks for a password on the terminal, without showing it. */
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { MemkeepError } from "../domain/errors.ts";

export interface PasswordQuestion {
  readonly repository: string;
  /** A new password: asked twice. */
  readonly confirm: boolean;
  readonly signal: AbortSignal;
}

const attempts = 3;

/** Only a person at a terminal can answer, and only one who sees the question. */
export function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/** `PASSWORD_MISSING` when nothing is typed, or twice something else; `INTERRUPTED` for Ctrl-C. */
export async function askPassword({ repository, confirm, signal }: PasswordQuestion): Promise<string> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const what = confirm ? "New password" : "Password";
    const first = await askHidden(`${what} of the repository ${repository}: `, signal);
    if (first === "") {
      process.stderr.write("An empty password protects nothing.\n");
      continue;
    }
    if (!confirm || (await askHidden("The same again: ", signal)) === first) return first;
    process.stderr.write("These are two different passwords.\n");
  }
  throw new MemkeepError("PASSWORD_MISSING", {
    tried: `ask for the password of the repository ${repository}`,
    happened: "none was given",
  });
}

function askHidden(question: string, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  // The question is written by hand; what readline would echo goes nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  process.stderr.write(question);
  return new Promise((resolve, reject) => {
    let answer: string | undefined;
    function onAbort(): void {
      lines.close();
    }
    signal.addEventListener("abort", onAbort, { once: true });
    lines.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
    lines.on("line", (line) => {
      answer = line;
      lines.close();
    });
    lines.on("close", () => {
      signal.removeEventListener("abort", onAbort);
      process.stderr.write("\n");
      if (signal.aborted) reject(signal.reason as Error);
      else resolve(answer ?? "");
    });
  });
}
