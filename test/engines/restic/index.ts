import { join } from "node:path";

import { installed } from "../cache.ts";
import { run } from "../command.ts";
import { unpackDebian } from "../debian.ts";

/**
 * 0.14.0 is Debian 12's; 0.18.0 is Debian 13's and the one that most users have; `unstable` is the newest that Debian
 * unstable had on the day of the install (0.19.1 in November 2026).
 */
export type ResticVersion = "0.14.0" | "0.18.0" | "unstable";

const suites = { "0.14.0": "bookworm", "0.18.0": "trixie", unstable: "unstable" } as const;

/**
 * The path of a stock `restic` program, installed on the first call: the independent reader that every repository has
 * to satisfy. It is unpacked from its Debian package (a static binary) and never mixed into the system.
 */
export async function resticBinary(version: ResticVersion): Promise<string> {
  const folder = await installed(`restic-${version}`, async (into) => {
    await unpackDebian(suites[version], ["restic"], into);
    const said = await run(join(into, "usr/bin/restic"), ["version"]);
    if (version !== "unstable" && !said.startsWith(`restic ${version} `)) {
      throw new Error(`restic ${version} was asked for, Debian ${suites[version]} gave ${said.trim()}`);
    }
  });
  return join(folder, "usr/bin/restic");
}
