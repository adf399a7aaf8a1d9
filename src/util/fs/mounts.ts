/** Which file system a path lies on. Linux tells it in `/proc/self/mountinfo` (proc(5)); elsewhere nothing is known. */
import { readFile, realpath } from "node:fs/promises";
import { dirname, resolve, sep } from "node:path";
import { errnoOf } from "./durable.ts";

export interface Mount {
  readonly mountPoint: string;
  /** `ext4`, `overlay`, `nfs4`, … */
  readonly type: string;
}

/** All mounts, later ones over earlier ones; empty where the system does not tell. */
export async function readMounts(path = "/proc/self/mountinfo"): Promise<Mount[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (["ENOENT", "EACCES"].includes(errnoOf(error) ?? "")) return [];
    throw error;
  }
  return parseMounts(text);
}

/** `36 35 98:0 /root /mount\040point rw,noatime master:1 - ext4 /dev/sda1 rw`: blanks in names are octal. */
export function parseMounts(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after] = line.split(" - ");
    const mountPoint = before.split(" ")[4];
    const type = after?.split(" ")[0];
    if (mountPoint === undefined || type === undefined) return [];
    const plain = mountPoint.replaceAll(/\\(\d{3})/g, (_whole, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    return [{ mountPoint: plain, type }];
  });
}

/** The mount that a path without links lies on. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of mounts) {
    const folder = mount.mountPoint.endsWith(sep) ? mount.mountPoint : mount.mountPoint + sep;
    if (path !== mount.mountPoint && !path.startsWith(folder)) continue;
    if (!found || mount.mountPoint.length >= found.mountPoint.length) found = mount;
  }
  return found;
}

/** The path without links, or that of the nearest parent that exists. */
export async function nearestReal(path: string): Promise<string> {
  let at = resolve(path);
  for (;;) {
    try {
      return await realpath(at);
    } catch (error) {
      if (!["ENOENT", "ENOTDIR", "EACCES", "ELOOP"].includes(errnoOf(error) ?? "")) throw error;
      const parent = dirname(at);
      if (parent === at) return at;
      at = parent;
    }
  }
}
