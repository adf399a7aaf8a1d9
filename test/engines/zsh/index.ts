import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";

import { installed } from "../cache.ts";
import { unpackDebian } from "../debian.ts";
import { wrapWithLibraries } from "../wrap.ts";

/** The path of Debian 12's zsh (5.9), installed on the first call. */
export async function zshShell(): Promise<string> {
  const folder = await installed("zsh-5.9", async (into) => {
    await unpackDebian("bookworm", ["zsh", "libtinfo6", "libcap2"], into);
    // The package has its program where the wrapper goes.
    await mkdir(join(into, "usr/bin"), { recursive: true });
    await rename(join(into, "bin/zsh"), join(into, "usr/bin/zsh"));
    await wrapWithLibraries(into, ["usr/bin/zsh"]);
  });
  return join(folder, "bin/zsh");
}
