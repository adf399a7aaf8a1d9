import { resolve } from "node:path";
import { makeFolder } from "../../util/fs/durable.ts";
import type { Storage, StorageFacts, StorageKind } from "../storage.ts";
import type { LocalConfig } from "./config.ts";
import { fileFailure } from "./errors.ts";
import { inspectFolder } from "./inspect.ts";
import { checkFolder, LocalStorage } from "./storage.ts";

/** A folder of this machine, or of a server that is mounted here. */
export const local: StorageKind<LocalConfig> = {
  kind: "local",

  async create(config: LocalConfig): Promise<Storage> {
    const path = resolve(config.path);
    try {
      await makeFolder(path);
    } catch (error) {
      throw fileFailure(error, `create the folder ${path}`);
    }
    return new LocalStorage(path);
  },

  async open(config: LocalConfig): Promise<Storage> {
    await checkFolder(resolve(config.path));
    return new LocalStorage(config.path);
  },

  inspect: (config: LocalConfig): Promise<StorageFacts> => inspectFolder(resolve(config.path)),
};
