/** Runs the real program on folders of its own. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each piece of standard error, and the process. */
  readonly onStderr?: (text: string, pid: number) => void;
  /** Called with the first piece of standard output. */
  readonly onStart?: (pid: number) => void;
  /** Close standard output at once, as `| true` does. */
  readonly closeStdout?: boolean;
  /** A program, and its arguments, that starts it. */
  readonly through?: readonly string[];
}

/** Nothing of the tester's own environment reaches it but PATH and what is given. */
export function runMemkeep(args: readonly string[], options: RunOptions): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const [starter, ...rest] = [...(options.through ?? []), process.execPath, main, ...args];
    const child = spawn(starter!, rest, {
      cwd: options.cwd,
      env: { PATH: process.env["PATH"], HOME: options.cwd, LANG: "C.UTF-8", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const stdout: Buffer[] = [];
    let stderr = "";
    if (options.closeStdout === true) child.stdout.destroy();
    options.onStart?.(child.pid!);
    child.stdout.on("data", (piece: Buffer) => stdout.push(piece));
    child.stderr.on("data", (piece: Buffer) => {
      stderr += piece.toString("utf8");
      options.onStderr?.(piece.toString("utf8"), child.pid!);
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout: Buffer.concat(stdout).toString("utf8"), stderr }));
  });
}

export async function makeFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "memkeep-cli-"));
}

export function removeFolder(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true });
}

/** A SQLite file with a table of memories. */
export function makeMemory(path: string, records: number): void {
  const database = new DatabaseSync(path);
  database.exec("pragma journal_mode = wal; create table memories (id integer primary key, text text)");
  const insert = database.prepare("insert into memories (text) values (?)");
  database.exec("begin");
  for (let number = 0; number < records; number++) insert.run(`memory ${number} ${"x".repeat(number % 100)}`);
  database.exec("commit");
  database.close();
}
