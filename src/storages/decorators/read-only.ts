import { MemkeepError } from "../../domain/errors.ts";
import { PassThroughStorage } from "./pass-through.ts";

/** Refuses everything that changes the storage: for `--no-lock` readers, imports and proofs of foreign repositories. */
export class ReadOnlyStorage extends PassThroughStorage {
  override write(name: string): Promise<void> {
    return this.#refuse(`write ${name} in ${this.location}`);
  }

  override remove(name: string): Promise<void> {
    return this.#refuse(`remove ${name} from ${this.location}`);
  }

  override sweep(): Promise<number> {
    return this.#refuse(`remove left-over temporary files in ${this.location}`);
  }

  #refuse(tried: string): Promise<never> {
    return Promise.reject(
      new MemkeepError("STORAGE_READ_ONLY", { tried, happened: "it was opened for reading only" }),
    );
  }
}
