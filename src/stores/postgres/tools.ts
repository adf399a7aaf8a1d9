/** Finds PostgreSQL's client programs. A program refuses a server that is newer than itself. */
import { constants } from "node:fs";
import { access, readdir, realpath } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { MemkeepError } from "../../domain/errors.ts";
import { outputOf } from "../../util/exec/program.ts";
import type { Environment } from "./parameters.ts";

export interface Tools {
  readonly folder: string;
  readonly major: number;
  /** As `pg_dump --version` says it, such as `18.4`. */
  readonly version: string;
}

export type ToolName = "pg_dump" | "pg_restore" | "pg_dumpall" | "psql";

export function toolPath(tools: Tools, name: ToolName): string {
  return join(tools.folder, name);
}

/** Folders of distributions and Homebrew that hold one folder for each version. */
const versionedFolders = [
  { parent: "/usr/lib/postgresql", below: "bin" },
  { parent: "/usr", below: "bin", pattern: /^pgsql-\d+$/ },
  { parent: "/usr/libexec", below: "", pattern: /^postgresql\d*$/ },
  { parent: "/opt/homebrew/opt", below: "bin", pattern: /^(libpq|postgresql)(@\d+)?$/ },
  { parent: "/usr/local/opt", below: "bin", pattern: /^(libpq|postgresql)(@\d+)?$/ },
  { parent: "/Library/PostgreSQL", below: "bin" },
];

/**
 * All client programs of this machine, smallest major first: from the folders given, those of the distributions, and
 * PATH. A folder counts when it has `pg_dump` and `pg_restore`.
 */
export async function findTools(folders: readonly string[], environment: Environment): Promise<Tools[]> {
  const candidates = [...folders];
  for (const { parent, below, pattern } of versionedFolders) {
    for (const name of await namesIn(parent)) {
      if (!pattern || pattern.test(name)) candidates.push(join(parent, name, below));
    }
  }
  candidates.push(...(environment["PATH"] ?? "").split(delimiter).filter((folder) => folder !== ""));
  // Under their real names: `/bin` is often `/usr/bin`, and each would start a program to ask it for its version.
  const real = new Set(
    (await Promise.all(candidates.map(realFolder))).filter((folder) => folder !== undefined),
  );
  const found = await Promise.all([...real].map(toolsIn));
  return found.filter((tools) => tools !== undefined).sort((a, b) => a.major - b.major);
}

/** The smallest major that is at least `major`. `TOOL_MISSING` names the versions found and the package to install. */
export function chooseTools(found: readonly Tools[], major: number, why: string): Tools {
  const tools = found.find((candidate) => candidate.major >= major);
  if (tools) return tools;
  const versions = [...new Set(found.map(({ version }) => version))];
  throw new MemkeepError("TOOL_MISSING", {
    tried: "find PostgreSQL's client programs",
    happened: `${why}, so pg_dump and pg_restore ${major} or newer are needed; ${
      versions.length === 0 ? "none were found" : `found ${versions.join(", ")}`
    }`,
    next: `Install them (Debian, Ubuntu: postgresql-client-${major} from apt.postgresql.org; Homebrew: libpq), or name their folder under \`tools:\`.`,
    details: { needed: major, found: versions },
  });
}

async function namesIn(folder: string): Promise<string[]> {
  // Most of these folders are not there on any one machine.
  const names = await readdir(folder).catch((): string[] => []);
  return names.sort();
}

async function realFolder(folder: string): Promise<string | undefined> {
  return await realpath(folder).catch(() => undefined);
}

/** `folder` by its real name. */
async function toolsIn(folder: string): Promise<Tools | undefined> {
  for (const name of ["pg_dump", "pg_restore"]) {
    const isThere = await access(join(folder, name), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!isThere) return undefined;
  }
  const { ended, stdout } = await outputOf(join(folder, "pg_dump"), ["--version"], {
    env: { PATH: "/usr/bin:/bin" },
    maxBytes: 64 * 1024,
  });
  const version = /\(PostgreSQL\) ((\d+)[^ \n]*)/.exec(stdout.toString("utf8"));
  if (ended.code !== 0 || !version) return undefined;
  return { folder, major: Number(version[2]), version: version[1]! };
}
