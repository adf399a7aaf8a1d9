import { join } from "node:path";

import { installed } from "../cache.ts";
import { unpackDebian } from "../debian.ts";
import { wrapWithLibraries } from "../wrap.ts";

/** The path of Debian 12's fish (3.6.0), installed on the first call. */
export async function fishShell(): Promise<string> {
  const folder = await installed("fish-3.6.0", async (into) => {
    await unpackDebian("bookworm", ["fish", "fish-common", "libpcre2-32-0", "libtinfo6"], into);
    await wrapWithLibraries(into, ["usr/bin/fish"]);
  });
  return join(folder, "bin/fish");
}
