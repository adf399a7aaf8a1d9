import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LocalOptions } from "../local/storage.ts";
import { LocalStorage } from "../local/storage.ts";
import { temporaryPath } from "../local/temporary.ts";
import type { Storage } from "../storage.ts";
import type { TestPlace } from "./contract.ts";

/** A temporary folder, behind the decorators that `wrap` puts around it. */
export async function localPlace(
  wrap: (storage: Storage) => Storage = (storage) => storage,
  options: LocalOptions = {},
): Promise<TestPlace> {
  const path = await mkdtemp(join(tmpdir(), "memkeep-storage-"));
  const open = (): Storage => wrap(new LocalStorage(path, options));
  return {
    storage: open(),
    reopen: () => Promise.resolve(open()),
    // As an earlier process with our own pid would leave it.
    plantLeftover: (besideEntry) =>
      writeFile(
        temporaryPath(join(path, besideEntry)).replace(/-[0-9a-f]{8}-(\d+)$/, "-00000000-$1"),
        "half",
      ),
    exclusive: options.link === undefined,
    remove: () => rm(path, { recursive: true, force: true }),
  };
}
