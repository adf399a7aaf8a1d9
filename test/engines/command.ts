import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";

import { EngineMissing } from "./missing.ts";

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs a short command to its end and returns what it wrote to stdout. Rejects with the command line and the end of
 * its stderr when it ends with anything but 0.
 */
export function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      {
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        env: { ...process.env, ...options.env },
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout);
        const said = `${stdout}\n${stderr}`.trim().slice(-2000);
        reject(new Error(`${command} ${args.join(" ")} failed: ${said || error.message}`, { cause: error }));
      },
    );
  });
}

/** The absolute path of an executable on PATH, or undefined. */
export async function onPath(command: string): Promise<string | undefined> {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    if (folder && (await isExecutable(join(folder, command)))) return join(folder, command);
  }
  return undefined;
}

/** Throws `EngineMissing` naming the first of `commands` that this machine does not have, and `how` to get it. */
export async function needCommands(commands: readonly string[], how: string): Promise<void> {
  for (const command of commands) {
    if (!(await onPath(command))) throw new EngineMissing(`there is no ${command} on this machine`, how);
  }
}

/** Whether this process may execute the file at `path`. */
async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
