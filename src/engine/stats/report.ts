/** How large repositories are, as data: the shape of `memkeep repository stats --json` is a list of these. */
import type { RepositoryStats } from "../../repository/repository.ts";

export type StatsReport = { readonly repository: string; readonly location: string } & (
  | (RepositoryStats & {
      readonly error: undefined;
      /** How many times larger the files of all snapshots are than the repository; null while it holds none. */
      readonly ratio: number | null;
    })
  | { readonly error: string }
);
