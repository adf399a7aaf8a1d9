/** Paths as people know them. */
import { homedir } from "node:os";

/** `~/.config/x` for what lies in the user's own folder. */
export function shortPath(path: string): string {
  const home = homedir();
  return home.length > 1 && path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}
