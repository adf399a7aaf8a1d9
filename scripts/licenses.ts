/** `npm run licenses`: every package that a user of memkeep gets, with its licence, as `package-lock.json` records it. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

export interface LicensedPackage {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression, or `unknown`. */
  readonly license: string;
}

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
}

export async function licensedPackages(): Promise<LicensedPackage[]> {
  const text = await readFile(new URL("../package-lock.json", import.meta.url), "utf8");
  const { packages } = JSON.parse(text) as { packages: Record<string, LockedPackage> };
  return Object.entries(packages)
    .filter(([path, { dev }]) => path !== "" && dev !== true)
    .map(([path, { version = "", license = "unknown" }]) => ({
      name: path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length),
      version,
      license,
    }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { name, version, license } of await licensedPackages())
    console.log(`${name}@${version}\t${license}`);
}
