/**
 * The passwords of a repository: each opens one key file, and every key file holds the same master key. Source of the files:
 * restic's design document, "Keys"; stock `restic key` lists, adds and removes them too.
 */
import { MemkeepError } from "../../../domain/errors.ts";
import type { KeyInfo } from "../../repository.ts";
import type { Storage } from "../../../storages/storage.ts";
import { buildKeyFile, type KeyFileLabel, readKeyFileLabel } from "../crypto/key-file.ts";
import type { MasterKey } from "../crypto/master-key.ts";

/** The user name in the label of a recovery key: restic shows it too. */
export const recoveryUser = "memkeep-recovery";

const keyPath = /^keys\/([0-9a-f]{64})$/;

/** @param current the id of the key that opened the repository. Oldest first; one that cannot be read is told without a label. */
export async function listKeys(storage: Storage, current: string): Promise<KeyInfo[]> {
  const keys: KeyInfo[] = [];
  for await (const { name } of storage.list("keys/")) {
    const id = keyPath.exec(name)?.[1];
    if (id === undefined) continue;
    const label = readKeyFileLabel(await storage.read(name));
    keys.push({
      id,
      created: label?.created ?? "",
      username: label?.username ?? "",
      hostname: label?.hostname ?? "",
      current: id === current,
      recovery: label?.username === recoveryUser,
    });
  }
  return keys.sort((a, b) => Date.parse(a.created) - Date.parse(b.created));
}

/** Adds a key file, durable when it resolves. Gives its id. */
export async function addKey(
  storage: Storage,
  key: MasterKey,
  password: string,
  label: KeyFileLabel,
): Promise<string> {
  const file = await buildKeyFile(key, password, label);
  await storage.write(`keys/${file.name}`, [file.bytes]);
  return file.name;
}

/** The one key whose id begins so. `USAGE` when there is none, or several. */
export function keyNamed(keys: readonly KeyInfo[], beginning: string): KeyInfo {
  const found = /^[0-9a-f]{1,64}$/i.test(beginning)
    ? keys.filter(({ id }) => id.startsWith(beginning.toLowerCase()))
    : [];
  if (found.length === 1) return found[0]!;
  throw new MemkeepError("USAGE", {
    tried: `find the key ${JSON.stringify(beginning.slice(0, 80))}`,
    happened: found.length === 0 ? "no key's id begins so" : `the ids of ${found.length} keys begin so`,
    next: "`memkeep keys list` shows them.",
  });
}

/** `USAGE` for the key in use and for the last one: whoever removes those locks himself out. */
export async function removeKey(storage: Storage, key: KeyInfo, all: readonly KeyInfo[]): Promise<void> {
  if (key.current || all.length === 1) {
    throw new MemkeepError("USAGE", {
      tried: `remove the key ${key.id.slice(0, 8)}`,
      happened: all.length === 1 ? "it is the only one" : "it is the one that was just used",
      next: "Open the repository with another password to remove this one; `memkeep keys add` makes one, `memkeep keys passwd` replaces this one.",
    });
  }
  await storage.remove(`keys/${key.id}`);
}
