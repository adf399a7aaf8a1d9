import { spawn } from "node:child_process";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { widthOf } from "../../src/cli/output/style.ts";
import { makeFolder, makeMemory, removeFolder } from "./run-memkeep.ts";

const driver = fileURLToPath(new URL("on-terminal.py", import.meta.url));
const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const enter = "\r";
const space = " ";
const down = "\u001B[B";

let folder: string;
beforeEach(async () => {
  folder = await makeFolder();
  makeMemory(join(folder, "記憶🐘.db"), 100);
});
afterEach(() => removeFolder(folder));

interface Screen {
  readonly code: number;
  /** As it was written, without colours and movements of the cursor. */
  readonly text: string;
}

/** `steps`: what is awaited, and the keys that are pressed then. */
async function onTerminal(
  columns: number,
  steps: readonly (readonly [awaited: string, keys: string])[],
  env: Readonly<Record<string, string>> = {},
): Promise<Screen> {
  const args = [driver, String(columns), JSON.stringify(steps), process.execPath, main, "init"];
  const child = spawn("python3", args, {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: folder, LANG: "C.UTF-8", TERM: "xterm-256color", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const parts: Buffer[] = [];
  for await (const part of child.stdout) parts.push(part as Buffer);
  const { code, text, left } = JSON.parse(Buffer.concat(parts).toString("utf8")) as Screen & {
    left: string[];
  };
  expect(left, text).toEqual([]);
  return { code, text: stripVTControlCharacters(text) };
}

test("60 columns: enter, enter, enter, and the memory is backed up and proven", async () => {
  const { code, text } = await onTerminal(60, [
    ["What belongs to this memory?", enter],
    ["A name for this memory", enter],
    ["Where shall the backups go?", enter],
    ["How shall memkeep get it?", enter],
    ["Make a recovery key too?", enter],
    ["Take the first backup", enter],
    ["Shall it?", enter],
  ]);

  expect(code, text).toBe(0);
  expect(text).toMatch(/if it is\s+│?\s*lost, nobody can/);
  expect(text).toMatch(/proven \(restored\)/);
  expect(text.match(/([2-9A-Z]{4}-){6}[2-9A-Z]{4}/g)).toHaveLength(1);
  expect(text).toMatch(/Next: memkeep status/);
  for (const line of text.split(/[\r\n]+/)) expect(widthOf(line), line).toBeLessThanOrEqual(60);
  const yaml = await readFile(join(folder, "memkeep.yaml"), "utf8");
  const file = /passwordFile: ~\/(\S+)/.exec(yaml)![1]!;
  expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
  expect(text).not.toContain((await readFile(join(folder, file), "utf8")).trim());
});

test("a path that is typed, another place, a typed password that is weak at first; it stands nowhere", async () => {
  await writeFile(join(folder, "notes"), "");
  makeMemory(join(folder, "second.db"), 10);
  const { code, text } = await onTerminal(100, [
    ["What belongs to this memory?", `${space}${down}${down}${space}${enter}`],
    ["A path such as ./memory.db", `mysql://x${enter}`],
    ["no kind of store", ""],
    ["A path such as ./memory.db", enter],
    ["Write a path or a URL", `other=./second.db${enter}`],
    ["One more?", `n`],
    ["A name for this memory", enter],
    ["Where shall the backups go?", `${down}${enter}`],
    ["A path such as /mnt", `./elsewhere${enter}`],
    ["How shall memkeep get it?", `${down}${enter}`],
    ["A new password:", `secret${enter}`],
    ["Use it nevertheless?", "n"],
    ["A new password:", `correct horse battery${enter}`],
    ["The same again:", `correct horse battery${enter}`],
    ["Make a recovery key too?", "n"],
    ["Take the first backup", enter],
    ["Shall it?", enter],
  ]);

  expect(code, text).toBe(0);
  expect(text).not.toMatch(/correct horse|([2-9A-Z]{4}-){6}/);
  const yaml = await readFile(join(folder, "memkeep.yaml"), "utf8");
  expect(yaml).not.toContain("correct horse");
  expect(yaml).toMatch(/storage: .\/elsewhere/);
});

test.each([
  ["Ctrl-C at the first question", [["What belongs", "\u0003"]]],
  [
    "Escape at the last",
    [
      ["What belongs", enter],
      ["A name", enter],
      ["Where shall", enter],
      ["How shall", enter],
      ["recovery key", enter],
      ["first backup", enter],
      ["Shall it?", "\u001B"],
    ],
  ],
] as const)("%s: exit 130, and nothing is written", async (_name, steps) => {
  const before = await readdir(folder, { recursive: true });
  const { code, text } = await onTerminal(80, steps, { NO_COLOR: "1" });
  expect(code, text).toBe(130);
  expect(text).toMatch(/Nothing was written/);
  expect(await readdir(folder, { recursive: true })).toEqual(before);
});
