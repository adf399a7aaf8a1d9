/**
 * Files of a repository that stand where nobody looks for them: in capitals after a copy through a file system without
 * lower case, in the wrong folder after a hand's mistake, a folder or a pipe in a file's place. Restic and memkeep pass over such
 * names, so what lies there is missing without a trace; here is where the trace is found.
 */
import type { Finding } from "../../repository.ts";
import type { Storage } from "../../../storages/storage.ts";
import { packName } from "../pack/pack-name.ts";

export interface Stray {
  readonly name: string;
  /** Where a file of that id belongs. */
  readonly home: string;
  readonly id: string;
  readonly isSnapshot: boolean;
  /** It is no file: a folder, a pipe. Its bytes are gone. */
  readonly isNoFile: boolean;
}

/** Folders whose files are named by their digest. Locks are not among them: they pass. */
const folders = ["data/", "index/", "keys/", "snapshots/", "memkeep/proofs/"];

/** All of them, in no order. Names that are no ids however they are written are other programs' files. */
export async function* findStrays(storage: Storage): AsyncGenerator<Stray> {
  for (const folder of folders) {
    for await (const { name } of storage.list(folder)) {
      const stray = strayOf(name, folder, false);
      if (stray) yield stray;
    }
  }
  if (!storage.oddities) return;
  for await (const name of storage.oddities()) {
    const folder = folders.find((known) => name.startsWith(known));
    const stray = folder === undefined ? undefined : strayOf(name, folder, true);
    if (stray) yield stray;
  }
}

function strayOf(name: string, folder: string, isNoFile: boolean): Stray | undefined {
  const id = name.slice(name.lastIndexOf("/") + 1).toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(id)) return undefined;
  const home = folder === "data/" ? packName(id) : folder + id;
  if (name === home && !isNoFile) return undefined;
  return { name, home, id, isSnapshot: folder === "snapshots/", isNoFile };
}

/** What `check` says of them: damage where the repository lacks the file, a note where it is a copy too many. */
export async function checkStrays(storage: Storage): Promise<{ findings: Finding[]; notes: string[] }> {
  const findings: Finding[] = [];
  const notes: string[] = [];
  for await (const stray of findStrays(storage)) {
    if (await storage.stat(stray.home)) {
      notes.push(`${stray.name} is a copy of ${stray.home}, or was meant to be one; nobody reads it`);
    } else findings.push(findingOf(stray));
  }
  return { findings, notes };
}

function findingOf({ name, home, id, isSnapshot, isNoFile }: Stray): Finding {
  const harmed = { file: name, snapshots: isSnapshot ? [id] : [] };
  if (isNoFile) {
    return {
      ...harmed,
      text: "a folder, pipe or the like stands in the place of a file",
      remedy: `Bring the file back from another copy of the repository, or remove what stands there.`,
    };
  }
  return {
    ...harmed,
    text: `it stands where nobody looks for it: its place is ${home}`,
    remedy: "Run `memkeep repository repair` to bring it there.",
  };
}
