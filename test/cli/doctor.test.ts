import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeFolder, makeMemory, removeFolder, type Ended, runMemkeep } from "./run-memkeep.ts";

interface Check {
  readonly subject: string;
  readonly name: string;
  readonly status: string;
  readonly text: string;
}

let folder: string;
const configuration = (store: string, storage: string, more = ""): string => `version: 1
stack: rose
stores:
  memory: { type: sqlite, path: ${store} }${more}
repositories:
  local: { type: restic, storage: ${storage}, passwordFile: ./password }
`;

beforeAll(async () => {
  folder = await makeFolder();
  makeMemory(join(folder, "memory.db"), 10);
  await writeFile(join(folder, "password"), "a password of the tests\n", { mode: 0o600 });
  await write("memkeep.yaml", configuration("./memory.db", "./backups"));
  expect((await memkeep("init", "-q")).code).toBe(0);
});
afterAll(() => removeFolder(folder));

function write(name: string, text: string): Promise<void> {
  return writeFile(join(folder, name), text);
}

function memkeep(...args: string[]): Promise<Ended> {
  return runMemkeep(args, { cwd: folder });
}

async function wrong(file: string): Promise<{ code: number | null; checks: Check[] }> {
  const { code, stdout } = await memkeep("doctor", "--json", "-c", file);
  const { checks } = JSON.parse(stdout) as { checks: Check[] };
  return { code, checks: checks.filter(({ status }) => status !== "ok") };
}

test("all is well: exit 0, one line each", async () => {
  const ended = await memkeep("doctor");
  expect(ended.stdout).toMatch(/^configuration\n {2}✓ .*(.*\n)*store memory\n(.*\n)*repository local\n/);
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/All is well: \d+ checks\.\n$/) });
  expect(await memkeep("doctor", "--quiet")).toMatchObject({ code: 0, stdout: "" });
});

test("law 10: a password that everybody may read, and one that is weak", async () => {
  await write("weak", "hunter2\n");
  await chmod(join(folder, "weak"), 0o644);
  await write("weak.yaml", configuration("./memory.db", "./backups").replace("./password", "./weak"));
  const { code, checks } = await wrong("weak.yaml");
  expect(code).toBe(2);
  expect(checks).toMatchObject([
    {
      subject: "configuration",
      status: "critical",
      text: expect.stringMatching(/mode 644.*chmod 600 .*weak/),
    },
    { subject: "repository local", name: "password", status: "warning" },
    { subject: "repository local", name: "reachable", text: expect.stringMatching(/password does not open/) },
  ]);
  expect(JSON.stringify(checks)).not.toContain("hunter2");
});

test("a secret written into a file that everybody may read", async () => {
  await write(
    "open.yaml",
    configuration("./memory.db", "./backups").replace(
      "passwordFile: ./password",
      "password: a password of the tests",
    ),
  );
  await chmod(join(folder, "open.yaml"), 0o640);
  const { code, checks } = await wrong("open.yaml");
  expect({ code, checks }).toMatchObject({
    code: 1,
    checks: [{ text: expect.stringMatching(/chmod 600 .*open.yaml/) }],
  });
});

test("two stores that are one, one that is not there, and no repository: all are told at once", async () => {
  await write(
    "wrong.yaml",
    configuration(
      "./memory.db",
      "./nowhere",
      "\n  twin: { type: sqlite, path: ././memory.db }\n  gone: { type: sqlite, path: ./gone.db }",
    ),
  );
  const { code, checks } = await wrong("wrong.yaml");
  expect(code).toBe(2);
  expect(checks.map(({ subject, name }) => `${subject}: ${name}`)).toEqual([
    "store gone: reachable",
    "store twin: distinct",
    "repository local: reachable",
  ]);
  expect(checks.at(-1)?.text).toMatch(/memkeep init/);
});

test("it leaves nothing behind", async () => {
  const { readdir } = await import("node:fs/promises");
  await memkeep("doctor", "-q");
  expect(await readdir(join(folder, "backups", "locks"))).toEqual([]);
  expect((await readdir(join(folder, "backups"))).filter((name) => name.includes("tmp"))).toEqual([]);
});
