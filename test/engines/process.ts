import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

import { onPath } from "./command.ts";

export interface ProcessOptions {
  readonly cwd?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Run as the user `nobody` when the tests run as root; without effect otherwise. */
  readonly asNobody?: boolean;
  /** The signal that `stop` sends; SIGTERM when left out. */
  readonly stopSignal?: NodeJS.Signals;
}

/** A started server process. It never outlives this process: not at its exit, and on Linux not when it is killed. */
export interface ServerProcess {
  readonly pid: number;
  /** False as soon as the process has ended, for whatever reason. */
  isRunning(): boolean;
  /** The end of what it wrote to stdout and stderr, for error messages. */
  output(): string;
  /** Sends a signal to the process and returns when it has ended. For tests of crashes. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Ends the process with its stop signal, and with SIGKILL when it does not obey within 20 s. Idempotent. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a server in the background; it is not ready yet when this returns. Rejects when it cannot be executed. */
export async function startProcess(
  command: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<ServerProcess> {
  // The kernel forgets its promise when a process changes its user: first nobody, then the promise.
  const inner = await withParent(command, args);
  const child = spawn(...(options.asNobody === true ? asNobody(...inner) : inner), {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  await once(child, "spawn");
  running.add(child);
  const ended = once(child, "exit").then(() => running.delete(child));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output = (output + text).slice(-8000)));
  }
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  async function kill(signal: NodeJS.Signals): Promise<void> {
    if (isRunning()) child.kill(signal);
    await ended;
  }
  async function stop(): Promise<void> {
    const deadline = setTimeout(() => child.kill("SIGKILL"), 20_000);
    await kill(options.stopSignal ?? "SIGTERM").finally(() => clearTimeout(deadline));
  }
  return { pid: child.pid!, isRunning, output: () => output, kill, stop };
}

/**
 * Has the kernel kill the server with its parent, so that even a test process that dies by SIGKILL leaves nothing behind.
 * Only Linux can do that.
 */
async function withParent(command: string, args: readonly string[]): Promise<[string, string[]]> {
  if (process.platform !== "linux" || !(await onPath("setpriv"))) return [command, [...args]];
  return ["setpriv", ["--pdeathsig", "KILL", command, ...args]];
}

/** A command line that runs as `nobody` when this process is root, and as it is otherwise. */
export function asNobody(command: string, args: readonly string[]): [string, string[]] {
  if (process.getuid?.() !== 0) return [command, [...args]];
  return ["setpriv", ["--reuid=nobody", "--regid=nogroup", "--clear-groups", command, ...args]];
}
