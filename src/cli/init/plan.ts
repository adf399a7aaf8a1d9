/** What `memkeep init` is to do, decided by flags or answers before anything is written. */
import type { Draft } from "../../config/draft/draft.ts";

export type InitPassword =
  /** By a variable or a file that is there; where neither is, it is asked for. */
  | { readonly kind: "found" }
  | { readonly kind: "typed"; readonly password: string }
  /** A random one, written into a file that is not there yet. */
  | { readonly kind: "new-file"; readonly path: string };

export interface InitPlan {
  /** The configuration that is written. It is not there yet. */
  readonly file: string;
  readonly draft: Draft;
  readonly password: InitPassword;
  readonly recoveryKey: boolean;
  /** Take the first backup, and prove it. */
  readonly backup: boolean;
}
