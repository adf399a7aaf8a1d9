/** Stock restic on a repository of a test: the reader that knows nothing of memkeep. */
import { execFile } from "node:child_process";
import { password } from "./world.ts";

export interface StockResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs restic to its end, whatever its exit code. Without a cache, so that it sees the repository itself. */
export function stock(
  binary: string,
  repository: string,
  args: readonly string[],
  opening: string = password,
): Promise<StockResult> {
  return new Promise((resolve) => {
    execFile(
      binary,
      ["--no-cache", "--repo", repository, ...args],
      { env: { ...process.env, RESTIC_PASSWORD: opening, TZ: "UTC" }, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => {
        const code = error ? Number(error.code ?? -1) : 0;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

/** Rejects, with what restic said, when its `check --read-data` finds fault. Looks past the locks of the dead. */
export async function stockCheck(binary: string, repository: string): Promise<void> {
  const { code, stdout, stderr } = await stock(binary, repository, ["check", "--no-lock", "--read-data"]);
  if (code !== 0) throw new Error(`restic check ended with ${code}: ${stdout}${stderr}`);
}
