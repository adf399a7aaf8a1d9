/** A configuration that is about to be written: what `memkeep init` was told, or found. */
import type { Entry } from "../discover/found.ts";

export interface DraftStore {
  readonly name: string;
  readonly kind: string;
  /** As the file has it: `${NAME}` is a variable. No secret stands in it. */
  readonly entry: Entry;
  /** Where it was found, for the comment above it. */
  readonly where: string | undefined;
}

export interface Draft {
  readonly stack: string;
  readonly stores: readonly DraftStore[];
  readonly repository: {
    readonly name: string;
    /** A path or URL, or keys with a `type`. */
    readonly storage: string | Entry;
  };
  /** As the file names it; undefined when the password is not in a file. */
  readonly passwordFile: string | undefined;
}
