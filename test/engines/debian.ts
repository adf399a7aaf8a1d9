import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { exists } from "./cache.ts";
import { needCommands, run } from "./command.ts";
import { EngineMissing } from "./missing.ts";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * Unpacks Debian packages of one suite into `folder`, as `dpkg-deb -x` lays them out (`usr/bin/…`), without their
 * dependencies and without running their scripts.
 *
 * apt works in a private root made for this call: own sources, lists and status. The system's own packages are neither
 * asked nor changed, no rights are needed, and the suite may differ from the machine's. Signatures are checked
 * against the Debian archive keyring.
 */
export async function unpackDebian(
  suite: "bookworm" | "trixie" | "unstable",
  packages: readonly string[],
  folder: string,
): Promise<void> {
  const names = packages.join(", ");
  await needCommands(["apt-get", "dpkg-deb"], `${names} comes from Debian ${suite} by apt`);
  if (!(await exists(keyring))) {
    throw new EngineMissing(`${keyring} is not there`, "install the package debian-archive-keyring");
  }
  const root = await mkdtemp(join(tmpdir(), "memkeep-apt-"));
  try {
    const options = await privateApt(root, suite);
    const debs = join(root, "debs");
    await mkdir(debs);
    try {
      await run("apt-get", [...options, "update"]);
      await run("apt-get", [...options, "download", ...packages], { cwd: debs });
    } catch (error) {
      throw new EngineMissing(`Debian ${suite} did not give ${names}`, String(error));
    }
    for (const deb of await readdir(debs)) await run("dpkg-deb", ["-x", join(debs, deb), folder]);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function privateApt(root: string, suite: string): Promise<string[]> {
  for (const needed of ["lists/partial", "cache/archives/partial", "etc"]) {
    await mkdir(join(root, needed), { recursive: true });
  }
  await writeFile(join(root, "status"), "");
  await writeFile(
    join(root, "etc", "sources.list"),
    `deb [signed-by=${keyring}] http://deb.debian.org/debian ${suite} main\n`,
  );
  const settings = {
    "Dir::Etc": join(root, "etc"),
    "Dir::Etc::SourceList": join(root, "etc", "sources.list"),
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::State": root,
    "Dir::State::Lists": join(root, "lists"),
    "Dir::State::status": join(root, "status"),
    "Dir::Cache": join(root, "cache"),
    "Acquire::Languages": "none",
    // The private root belongs to the caller; apt's own unprivileged user could not write there.
    "APT::Sandbox::User": process.getuid?.() === 0 ? "root" : "",
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}
