/** Judges where stores and repositories lie: on something that stays, apart from each other, with room. */
import { resolve, sep } from "node:path";
import { type Mount, mountOf } from "../../util/fs/mounts.ts";
import type { DoctorCheck } from "./report.ts";

export interface Place {
  /** `store memory`. */
  readonly subject: string;
  readonly path: string;
  /** The same without links. */
  readonly realPath: string;
}

/** Union file systems: what is written there is the container's own layer and goes with the container. */
const layerTypes = new Set(["overlay", "aufs", "fuse.fuse-overlayfs"]);
const memoryTypes = new Set(["tmpfs", "ramfs"]);

export function judgePlace({ subject, path, realPath }: Place, mounts: readonly Mount[]): DoctorCheck {
  const mount = mountOf(realPath, mounts);
  const name = "volume";
  if (mount === undefined)
    return { subject, name, status: "ok", text: `${path}: this system does not tell its disks` };
  if (layerTypes.has(mount.type)) {
    return {
      subject,
      name,
      status: "critical",
      text: `${path} is on the container's own layer (${mount.type} at ${mount.mountPoint}): the next deployment removes it. Mount a volume there, and deploy again.`,
    };
  }
  if (memoryTypes.has(mount.type)) {
    return {
      subject,
      name,
      status: "critical",
      text: `${path} is in memory (${mount.type} at ${mount.mountPoint}): the next start removes it. Move it to a disk.`,
    };
  }
  return { subject, name, status: "ok", text: `${path} is on ${mount.type} mounted at ${mount.mountPoint}` };
}

export interface StorePlace {
  readonly name: string;
  readonly identity: string;
  readonly source: string;
  readonly localPaths: readonly string[];
}

/** Two stores with one identity are one: two dumps of it and, at a restore, two writers. */
export function judgeDoubles(stores: readonly StorePlace[]): DoctorCheck[] {
  const seen = new Map<string, string>();
  return stores.flatMap(({ name, identity, source }) => {
    const twin = seen.get(identity);
    if (twin === undefined) {
      seen.set(identity, name);
      return [];
    }
    const text = `${twin} and ${name} are the same database (${source}). Remove one of them from the configuration.`;
    return [{ subject: `store ${name}`, name: "distinct", status: "critical" as const, text }];
  });
}

/** A repository in a store's folder would back itself up, and go with the store. */
export function judgeNesting(
  stores: readonly StorePlace[],
  repositories: readonly { readonly name: string; readonly path: string }[],
): DoctorCheck[] {
  return repositories.flatMap(({ name, path }) =>
    stores
      .filter(({ localPaths }) => localPaths.some((folder) => isInside(path, folder)))
      .map((store) => ({
        subject: `repository ${name}`,
        name: "apart",
        status: "critical" as const,
        text: `${path} lies inside the store ${store.name}. Put the repository elsewhere, best on another disk.`,
      })),
  );
}

function isInside(path: string, folder: string): boolean {
  const inner = resolve(path);
  const outer = resolve(folder);
  return inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : outer + sep);
}
