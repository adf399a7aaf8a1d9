import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { installed } from "../cache.ts";
import { unpackDebian } from "../debian.ts";
import { EngineMissing } from "../missing.ts";

/** The library of Debian 12's faketime (0.9.10) to preload, so that a program sees another clock. Installed on the first call. */
export async function faketimeLibrary(): Promise<string> {
  const folder = await installed("libfaketime-0.9.10", (into) =>
    unpackDebian("bookworm", ["libfaketime"], into),
  );
  const libraries = join(folder, "usr/lib");
  for (const triplet of await readdir(libraries))
    return join(libraries, triplet, "faketime/libfaketimeMT.so.1");
  throw new EngineMissing("libfaketime has no library", "remove it from the cache of engines");
}
