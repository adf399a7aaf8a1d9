import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { program } from "../engines/require.ts";
import { makeFolder, removeFolder, runMemkeep } from "./run-memkeep.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..", "..");
const [fish, zsh] = [await program("fish"), await program("zsh")];

let folder: string;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = await makeFolder();
  const bin = join(folder, "bin");
  await mkdir(bin);
  await writeFile(join(bin, "memkeep"), `#!/bin/sh\nexec ${process.execPath} ${root}/bin/memkeep.js "$@"\n`, {
    mode: 0o755,
  });
  environment = {
    PATH: `${bin}:${dirname(process.execPath)}:${process.env["PATH"]}`,
    HOME: folder,
    XDG_CACHE_HOME: bin,
    LANG: "C.UTF-8",
  };
  await writeFile(
    join(folder, "memkeep.yaml"),
    "version: 1\nstack: s\nstores:\n  graph: { type: sqlite, path: '${NOT_SET}' }\nrepositories:\n  offsite: { storage: ./b }\n  local: { storage: ./a }\n",
  );
  for (const shell of ["bash", "zsh", "fish"]) {
    const { stdout } = await runMemkeep(["completion", shell], { cwd: folder });
    await writeFile(join(folder, `memkeep.${shell}`), stdout);
  }
});
afterAll(() => removeFolder(folder));

async function shell(path: string, args: readonly string[]): Promise<string[]> {
  const { stdout } = await run(path, args, { cwd: folder, env: environment });
  return stdout.split("\n").filter((line) => line !== "");
}

/** The candidates that bash has for the last of the words. */
function bash(...words: string[]): Promise<string[]> {
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const script = `source ./memkeep.bash; COMP_WORDS=(memkeep ${quoted}); COMP_CWORD=${words.length}; _memkeep; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return shell("bash", ["--norc", "-c", script]);
}

describe("bash", () => {
  it.each([
    [["back"], ["backup"]],
    [["repository", "r"], ["repair"]],
    [
      ["backup", "--to", ""],
      ["offsite", "local", "bin", "memkeep.bash", "memkeep.fish", "memkeep.yaml", "memkeep.zsh"],
    ],
    [["backup", "g"], ["graph"]],
    [["-c", "memkeep.yaml", "restore", "l"], ["latest"]],
    [["verify", "--level", "r"], ["restored"]],
    [["verify", "latest", "--le"], ["--level"]],
    [["completion", "f"], ["fish"]],
    [["no-such-command", ""], []],
  ])("memkeep %s", async (words, expected) => {
    expect((await bash(...words)).toSorted()).toEqual(expected.toSorted());
  });

  it("tells no word that is for programs alone", async () => {
    expect(await bash("comp")).toEqual(["completion"]);
  });
});

describe.skipIf(fish.missing)("fish", () => {
  it("completes commands with what they do, and names of the configuration", async () => {
    const complete = (line: string): Promise<string[]> =>
      shell(fish.path, ["--no-config", "-c", `source memkeep.fish; complete -C '${line}'`]);
    expect(await complete("memkeep back")).toEqual(["backup\ttake a snapshot of all stores"]);
    expect(await complete("memkeep backup --to off")).toEqual(["offsite\ta repository of the configuration"]);
    expect(await complete("memkeep backup ./memkeep.y")).toEqual(["./memkeep.yaml"]);
  });
});

describe.skipIf(zsh.missing)("zsh", () => {
  it("hands words and files on to the shell's own functions", async () => {
    const script = `compdef() { : }; _describe() { print -l -- \${(P)2} }; _files() { print files }
      source ./memkeep.zsh; words=(memkeep backup --to ''); CURRENT=4; _memkeep`;
    expect(await shell(zsh.path, ["-f", "-c", script])).toEqual([
      "offsite:a repository of the configuration",
      "local:a repository of the configuration",
      "files",
    ]);
  });
});
