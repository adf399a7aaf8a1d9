import { cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { needCommands, run } from "./command.ts";
import { EngineMissing } from "./missing.ts";

/**
 * Builds the program of the Go package `source` at exactly `version` (with its `v`) and writes it to `target`. Modules
 * come through the Go module proxy and are checked against its checksum database.
 */
export async function buildGo(source: string, version: string, target: string): Promise<void> {
  await needCommands(["go"], `${source} is built from its Go module: install Go from https://go.dev/dl`);
  const bin = await mkdtemp(join(tmpdir(), "memkeep-go-"));
  try {
    try {
      await run("go", ["install", `${source}@${version}`], { env: { GOBIN: bin, CGO_ENABLED: "0" } });
    } catch (error) {
      throw new EngineMissing(`Go could not build ${source} ${version}`, String(error));
    }
    await mkdir(join(target, ".."), { recursive: true });
    const [built] = await readdir(bin);
    await cp(join(bin, built!), target);
  } finally {
    await rm(bin, { recursive: true, force: true });
  }
}
