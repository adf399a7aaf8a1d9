import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeFolder, makeMemory, removeFolder, type Ended, runMemkeep } from "./run-memkeep.ts";

const listModules = new URL("list-modules.ts", import.meta.url).href;

let folder: string;
beforeEach(async () => {
  folder = await makeFolder();
});
afterEach(() => removeFolder(folder));

function memkeep(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return runMemkeep(args, { cwd: folder, env: { MEMKEEP_PASSWORD: "correct horse", ...env } });
}

test.each([
  [["bakcup"], /unknown command 'bakcup'\nDid you mean backup\?/],
  [["keys", "ad"], /there are list, add, remove, passwd\nDid you mean `memkeep keys add`\?/],
  [["backup", "--stroe", "x"], /unknown option '--stroe'\nDid you mean --store\?/],
  [["backup"], /no(thing|ne|) .*was named/],
  [["backup", "memory", "-r", "x"], /no store was named/],
  [["ls"], /missing required argument 'snapshot'/],
  [["ls", "latest"], /none was named/],
  [["verify", "--level", "full", "-r", "x"], /stored, decoded, restored/],
  [["snapshots", "--retry-lock", "soon", "-r", "x"], /--retry-lock/],
  [["snapshots", "-r", "https://user:hunter2@host/x"], /it is a web address/],
  [["snapshots", "-r", "ftp://user:hunter2@host/x"], /there is no kind of storage for ftp:/],
  [["backup", "-s", "mysql://me:hunter2@host/x", "-r", "x"], /no kind of store for mysql:/],
  [["-c", "nowhere.yaml", "backup"], /there is no such file/],
  [["config", "check"], /there is none at memkeep.yaml/],
  [["restore", "latest", "--mode", "mix", "-r", "x"], /there are replace and merge/],
  [["restore", "latest", "--mode", "merge", "--into", "./new", "-r", "x"], /a folder is always a new one/],
  [["prune", "--max-unused", "lots", "-r", "x"], /a percentage such as 5%/],
])("%j: exit 64, and words", async (args, expected) => {
  const ended = await memkeep(args);
  expect(ended).toMatchObject({ code: 64, stdout: "" });
  expect(ended.stderr).toMatch(expected);
  expect(ended.stderr).not.toContain("hunter2");
});

test.each([
  ["stores: {}\nrepositories: {}", "backup", /memkeep.yaml has none.*\n.*memkeep init/],
  [
    "stores: {}\nrepositories: { a: { storage: ./a } }",
    "backup",
    /no store was named, and memkeep.yaml has none/,
  ],
  [
    "stores: { a: { type: sqlite, path: ${NOPE} } }",
    "status",
    /within \{ \} a text with a variable needs quotes/,
  ],
  ["backup: { minInterval: 20 }", "status", /minInterval: expected a duration such as 30s.*, found a number/],
  [
    `a: &a [${"x,".repeat(9)}]\n${["b", "c", "d"].map((name, at) => `${name}: &${name} [${`*${"abc"[at]!},`.repeat(9)}]`).join("\n")}`,
    "status",
    /its aliases \(\*name\) stand for more than 100 values/,
  ],
])("a configuration with %j: exit 64, and words", async (lines, verb, expected) => {
  await writeFile(join(folder, "memkeep.yaml"), `version: 1\nstack: rose\n${lines}\n`);
  const ended = await memkeep([verb]);
  expect(ended).toMatchObject({ code: 64, stdout: "", stderr: expect.stringMatching(expected) });
});

test.each([
  [{ MEMKEEP_PASSWORD_FILE: "./none" }, 64, /secret's file .\/none cannot be read: there is no such file\n/],
  [{ MEMKEEP_PASSWORD_FILE: "." }, 64, /cannot be read: it is a folder\n/],
  [{ MEMKEEP_PASSWORD: "another one" }, 12, /does not open its only key; it came from MEMKEEP_PASSWORD\n/],
])(
  "a password from %j: words without codes of the system; status says what to check",
  async (env, code, expected) => {
    await memkeep(["init", "-q", "-r", "./backups"]);
    const asked = { MEMKEEP_PASSWORD: "", ...env };
    const ended = await memkeep(["snapshots", "-r", "./backups"], asked);
    expect(ended).toMatchObject({ code, stderr: expect.stringMatching(expected) });
    const status = await memkeep(["status", "-r", "./backups"], asked);
    expect(status.code).toBe(code);
    expect(status.stdout).not.toMatch(/doctor|ENOENT|EISDIR/);
  },
);

test("a file in the place of a folder is told as one", async () => {
  makeMemory(join(folder, "memory.db"), 3);
  for (const [place, words] of [
    ["./memory.db", /it is a file, not a folder\nGive another path/],
    ["./memory.db/x", /a part of the path is a file/],
  ] as const) {
    expect(await memkeep(["init", "-r", place])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(words),
    });
  }
  await memkeep(["init", "-q", "-r", "./backups"]);
  await memkeep(["backup", "-q", "-s", "./memory.db", "-r", "./backups"]);
  const into = await memkeep(["restore", "latest", "--into", "./memory.db", "-r", "./backups"]);
  expect(into).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/not a folder\n.*write sqlite: in front/),
  });
  const list = await memkeep(["ls", "latest", "nothing", "-r", "./backups"]);
  expect(list).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(/no such file or folder\n.*memkeep ls/),
  });
});

test("with --json an error is one object on standard error", async () => {
  const ended = await memkeep(["snapshots", "-r", "./nothing", "--json"]);
  expect(ended).toMatchObject({ code: 10, stdout: "" });
  expect(JSON.parse(ended.stderr)).toEqual({
    error: {
      code: "REPOSITORY_MISSING",
      exitCode: 10,
      message: expect.stringContaining("nothing"),
      next: expect.any(String),
    },
  });
  const usage = await memkeep(["--json", "backup", "--nonsense"]);
  expect(JSON.parse(usage.stderr)).toMatchObject({ error: { code: "USAGE", exitCode: 64 } });
});

test("paths with blanks, line breaks, quotes, Unicode, and as long as SQLite takes them", async () => {
  await memkeep(["init", "-q", "-r", "./backups of mine"]);
  const names = ["a b", "line\nbreak", `q"u'o$te`, "記憶 🐘", "x".repeat(244)];
  for (const name of names) {
    makeMemory(join(folder, `${name}.db`), 3);
    const ended = await memkeep(["backup", "--json", "-s", `memory=./${name}.db`, "-r", "./backups of mine"]);
    expect(ended).toMatchObject({ code: 0 });
  }
  const shown = await memkeep(["snapshots", "-r", "./backups of mine"]);
  expect(shown.stdout.trimEnd().split("\n")).toHaveLength(1 + names.length);
  expect((await memkeep(["init", "-r", "./line\nbreak"])).code).toBe(64);
});

test.each([
  ["a folder", (path: string) => mkdir(path)],
  ["a missing file", () => Promise.resolve()],
  ["an empty file", (path: string) => writeFile(path, "")],
  ["a text", (path: string) => writeFile(path, "this is no database ".repeat(100))],
  ["a link to itself", (path: string) => symlink(path, path)],
])("a store that is %s: exit 2, and no snapshot", async (_name, make) => {
  await make(join(folder, "memory.db"));
  await memkeep(["init", "-q", "-r", "./backups"]);
  const ended = await memkeep(["backup", "-s", "./memory.db", "-r", "./backups"]);
  expect(ended).toMatchObject({ code: 2, stdout: "" });
  expect(ended.stderr).toMatch(/^error: could not .*memory.db/m);
  expect(ended.stderr).not.toMatch(/unexpected|at .*\.ts:\d/);
  const list = await memkeep(["snapshots", "--json", "-r", "./backups"]);
  expect(JSON.parse(list.stdout)).toMatchObject([{ snapshots: [] }]);
});

test.each([
  [
    "a folder of something else",
    async (path: string) => {
      await mkdir(path);
      await writeFile(join(path, "notes.txt"), "mine");
    },
    10,
  ],
  ["a file", (path: string) => writeFile(path, "x"), 10],
  ["a link to itself", (path: string) => symlink(path, path), 2],
])("a repository that is %s is refused in words", async (_name, make, code) => {
  await make(join(folder, "backups"));
  const ended = await memkeep(["snapshots", "-r", "./backups"]);
  expect(ended.stderr).toMatch(/^error: could not/);
  expect(ended.stderr).not.toMatch(/unexpected/);
  expect(ended.code).toBe(code);
});

test("an id that fits two lists both; a time before the first names it", async () => {
  makeMemory(join(folder, "memory.db"), 3);
  await memkeep(["init", "-q", "-r", "./backups"]);
  const ids = new Map<string, string>();
  let twice: string | undefined;
  while (twice === undefined) {
    const ended = await memkeep(["backup", "--json", "-s", "./memory.db", "-r", "./backups"]);
    const id = (JSON.parse(ended.stdout) as { repositories: { snapshot: string }[] }).repositories[0]!
      .snapshot;
    if (ids.has(id[0]!)) twice = id[0]!;
    ids.set(id[0]!, id);
  }
  const ambiguous = await memkeep(["ls", twice, "-r", "./backups"]);
  expect(ambiguous.code).toBe(2);
  expect(ambiguous.stderr).toContain(ids.get(twice)!.slice(0, 16));
  const early = await memkeep(["ls", "latest", "--at", "2001-01-01 00:00", "-r", "./backups"]);
  expect(early).toMatchObject({ code: 2, stdout: "" });
  expect(early.stderr).toMatch(/the first of the stack memory is [0-9a-f]{8}/);
  expect((await memkeep(["ls", "latest", "--at", "last week", "-r", "./backups"])).code).toBe(64);
});

test("standard output closed is no error, and the backup is made", async () => {
  makeMemory(join(folder, "memory.db"), 3);
  await memkeep(["init", "-q", "-r", "./backups"]);
  const ended = await runMemkeep(["backup", "-s", "./memory.db", "-r", "./backups"], {
    cwd: folder,
    env: { MEMKEEP_PASSWORD: "correct horse" },
    closeStdout: true,
  });
  expect(ended.code).toBe(0);
  const list = await memkeep(["snapshots", "--json", "-r", "./backups"]);
  expect(JSON.parse(list.stdout)).toMatchObject([{ snapshots: [{ stores: ["memory"] }] }]);
});

test("a narrow terminal, no colour, and the C locale", async () => {
  makeMemory(join(folder, "memory.db"), 3);
  await memkeep(["init", "-q", "-r", "./backups"]);
  const plain = await memkeep(["backup", "-s", "./memory.db", "-r", "./backups"], {
    LANG: "C",
    COLUMNS: "60",
  });
  expect(plain.stdout).toMatch(/^ok memory: 3 records/);
  // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
  expect(plain.stdout).toMatch(/^[\n\x20-\x7E]*$/);
  const list = await memkeep(["snapshots", "-r", "./backups"], { COLUMNS: "60" });
  for (const line of list.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(60);
  const help = await memkeep(["backup", "--help"], { COLUMNS: "60" });
  expect(help.stdout).toMatch(/^Examples:\n/);
  expect(help.stdout).toMatch(/Exit codes:\n +0 {2}done/);
  const colour = await memkeep(["snapshots", "-r", "./backups"], { FORCE_COLOR: "1" });
  expect(colour.stdout).toContain("\u001B[");
  const none = await memkeep(["snapshots", "-r", "./backups", "--no-color"], { FORCE_COLOR: "1" });
  expect(none.stdout).not.toContain("\u001B[");
});

test("what a command does not use is not loaded", async () => {
  await memkeep(["init", "-q", "-r", "./backups"]);
  const loadedBy = async (...args: string[]): Promise<string> => {
    const ended = await memkeep(args, { NODE_OPTIONS: `--import=${listModules}` });
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain("src/cli/main.ts");
    return ended.stderr;
  };
  const heavy =
    /node_modules\/(yaml|@aws-sdk)|stores\/sqlite|engine\/(backup|restore|verify|export)|node:sqlite/;
  expect(await loadedBy("snapshots", "-r", "./backups")).not.toMatch(heavy);
  const help = await loadedBy("--help");
  expect(help).not.toMatch(heavy);
  expect(help).not.toMatch(/zod|src\/(config|repository|storages|engine)|cli\/commands\//);
});
