/** What is wrong in a configuration, and the one error that is made of it. */
import { MemkeepError } from "../domain/errors.ts";
import { type ConfigPath, pathText } from "./origin.ts";

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Problem {
  readonly path: ConfigPath;
  readonly position: Position | undefined;
  /** A clause: what is there, what was expected. Never the value itself, which may be a secret. */
  readonly text: string;
}

const mostShown = 20;

/** `CONFIG_INVALID` with every problem as `file:line:column: text`, in the order of the file. */
export function configError(source: string, problems: readonly Problem[]): MemkeepError {
  const lines = [...problems].sort(byPosition).map((problem) => problemLine(source, problem));
  const more = lines.length > mostShown ? [`… and ${lines.length - mostShown} more`] : [];
  return new MemkeepError("CONFIG_INVALID", {
    tried: lines.length === 1 ? "read the configuration" : `read the configuration ${source}`,
    happened: lines.length === 1 ? lines[0]! : `${lines.length} things are wrong in it`,
    next: "Mend it, then try `memkeep config check`. `memkeep config schema` tells every key to an editor.",
    ...(lines.length === 1 ? {} : { details: { problems: [...lines.slice(0, mostShown), ...more] } }),
  });
}

function problemLine(source: string, { position, path, text }: Problem): string {
  const where = position ? `${source}:${position.line}:${position.column}` : source;
  return `${where}: ${path.length === 0 ? "" : `${pathText(path)}: `}${text}`;
}

function byPosition(a: Problem, b: Problem): number {
  const lines = (a.position?.line ?? 0) - (b.position?.line ?? 0);
  return lines === 0 ? (a.position?.column ?? 0) - (b.position?.column ?? 0) : lines;
}
