import { chmod, mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

/**
 * Writes `<folder>/bin/NAME` for each unpacked Debian program of `folder`: a shell line that runs the program with the
 * shared libraries unpacked beside it, so that it runs on machines that have others, or none. The line finds them from
 * its own place, since the folder is renamed after the install.
 */
export async function wrapWithLibraries(folder: string, programs: readonly string[]): Promise<void> {
  await mkdir(join(folder, "bin"), { recursive: true });
  const libraries = ["usr/lib", "lib"].flatMap((root) =>
    debianTriplets.map((triplet) => `$root/${root}/${triplet}`),
  );
  for (const program of programs) {
    const wrapper = join(folder, "bin", basename(program));
    const lines = [
      "#!/bin/sh",
      'root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)',
      `LD_LIBRARY_PATH="${libraries.join(":")}" exec "$root/${program}" "$@"`,
    ];
    await writeFile(wrapper, `${lines.join("\n")}\n`);
    await chmod(wrapper, 0o755);
  }
}

const debianTriplets = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
