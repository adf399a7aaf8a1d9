/** Runs a program and gives what the operating system says of it. Uses GNU time, as anybody can. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Measured {
  readonly wallS: number;
  readonly cpuS: number;
  readonly peakMb: number;
}

/** Rejects when the program fails. */
export async function measure(argv: readonly string[], input?: string): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), "memkeep-bench-"));
  const figures = join(folder, "time");
  const stdin = input === undefined ? undefined : openSync(input, "r");
  try {
    const child = spawn("/usr/bin/time", ["-o", figures, "-f", "%e %U %S %M", ...argv], {
      stdio: [stdin ?? "ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr!.on("data", (part: Buffer) => (said += part.toString()));
    const code = await new Promise((resolve) => child.on("close", resolve));
    if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${String(code)}: ${said.slice(-2000)}`);
    const [wall, user, system, peak] = (await readFile(figures, "utf8")).trim().split(/\s+/).map(Number);
    return { wallS: wall!, cpuS: user! + system!, peakMb: peak! / 1000 };
  } finally {
    if (stdin !== undefined) closeSync(stdin);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Bytes of all files below a folder. */
export async function folderBytes(folder: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) sum += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return sum;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
