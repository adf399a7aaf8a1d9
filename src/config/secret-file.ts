/** Secrets that stand in a file or are printed by a program. */
import { open } from "node:fs/promises";
import { fileReason } from "../util/fs/file-reason.ts";
import { captureOutput } from "../util/exec/capture.ts";

/** No password is longer; the wrong file (a database, a pipe) may be. */
const longestBytes = 64 * 1024;
const commandTimeoutMs = 10_000;

/** The file's text without the line break at its end. Rejects with a plain sentence that never holds the content. */
export async function readSecretFile(path: string): Promise<string> {
  const bytes = Buffer.alloc(longestBytes + 1);
  let length = 0;
  try {
    await using file = await open(path);
    for (;;) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
  } catch (cause) {
    throw new Error(`the secret's file ${path} cannot be read: ${fileReason(cause)}`, { cause });
  }
  if (length > longestBytes) throw new Error(`the secret's file ${path} has more than 64 KiB`);
  return secretText(bytes.subarray(0, length), `the secret's file ${path}`);
}

/** What a program prints, without the line break at its end. It has ten seconds. The program's own words go to standard error. */
export async function runSecretCommand(argv: readonly string[], signal: AbortSignal): Promise<string> {
  const program = `the secret's command (${argv[0] ?? ""})`;
  const captured = await captureOutput(argv, {
    timeoutMs: commandTimeoutMs,
    maxOutputBytes: longestBytes,
    signal,
  });
  switch (captured.kind) {
    case "not-started":
      throw new Error(`${program} does not start: ${captured.reason}`);
    case "timed-out":
      throw new Error(`${program} did not end within ten seconds`);
    case "too-much":
      throw new Error(`${program} prints more than 64 KiB`);
    case "ended":
      if (captured.code !== 0) throw new Error(`${program} ended with code ${captured.code ?? "(a signal)"}`);
      return secretText(captured.output, program);
  }
}

function secretText(bytes: Uint8Array, source: string): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`${source} gives no UTF-8 text`);
  }
  const secret = text.replace(/\r?\n$/, "");
  if (secret === "") throw new Error(`${source} is empty`);
  return secret;
}
