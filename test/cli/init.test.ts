import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Ended, makeFolder, makeMemory, removeFolder, runMemkeep } from "./run-memkeep.ts";

let folder: string;
beforeEach(async () => {
  folder = await makeFolder();
  makeMemory(join(folder, "memory.db"), 100);
});
afterEach(() => removeFolder(folder));

function memkeep(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return runMemkeep(args, { cwd: folder, env });
}

const given = { MEMKEEP_PASSWORD: "correct horse" };

test("one line, no question: a configuration, a password file, a repository, a proven backup, a recovery key", async () => {
  const args = ["init", "-s", "./memory.db", "--password-file", "./keys/pw", "--recovery-key"];

  const ended = await memkeep(args);

  expect(ended.code).toBe(0);
  expect(ended.stdout).toMatch(
    /wrote memkeep.yaml(.*\n)*.*made the repository local(.*\n)*.*proven \(restored\)/,
  );
  const key = /^ {2}([2-9A-Z]{4}(?:-[2-9A-Z]{4}){6})$/m.exec(ended.stdout)?.[1];
  expect(ended.stderr).toMatch(/Keep a copy of .\/keys\/pw.*\nNext: memkeep status\n$/s);
  const password = await readFile(join(folder, "keys", "pw"), "utf8");
  expect(password).toMatch(/^[\w-]{32}\n$/);
  expect((await stat(join(folder, "keys", "pw"))).mode & 0o777).toBe(0o600);
  const yaml = await readFile(join(folder, "memkeep.yaml"), "utf8");
  expect(yaml).toMatch(/^# yaml-language-server: \$schema=.\/memkeep.schema.json\n/);
  expect(yaml).not.toContain(password.trim());
  expect(JSON.parse(await readFile(join(folder, "memkeep.schema.json"), "utf8"))).toHaveProperty(
    "properties",
  );
  // Everything of it works, with the password in the file and with the recovery key alone.
  expect(await memkeep(["status"])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("restored in a"),
  });
  expect((await memkeep(["snapshots", "--json"], { MEMKEEP_PASSWORD: key! })).code).toBe(0);
  // And nothing is overwritten.
  const again = await memkeep(args);
  expect(again).toMatchObject({ code: 64, stderr: expect.stringMatching(/never overwritten/) });
  expect(await readFile(join(folder, "memkeep.yaml"), "utf8")).toBe(yaml);
});

test("--yes takes what is found, in another folder's words too; --no-backup takes none", async () => {
  await mkdir(join(folder, "data"));
  makeMemory(join(folder, "data", "記憶 $HOME.db"), 5);
  const ended = await memkeep(["init", "--yes", "--no-backup", "--json"], {
    ...given,
    DATABASE_URL: "postgresql://me:hunter2@127.0.0.1:1/x",
  });
  expect(ended).toMatchObject({ code: 0 });
  expect(JSON.parse(ended.stdout)).toMatchObject({
    files: ["memkeep.schema.json", "memkeep.yaml"],
    repositories: [{ name: "local", result: "made" }],
    backup: null,
    recoveryKey: null,
  });
  expect(await memkeep(["backup", "--json"], given)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/"記憶|HOME/),
  });
});

test("a repository that is there is used; a wrong password changes nothing", async () => {
  await memkeep(["init", "-q", "-r", "./backups"], given);
  const before = await readdir(folder);
  const wrong = await memkeep(["init", "-s", "./memory.db"], { MEMKEEP_PASSWORD: "another one" });
  expect(wrong.code).toBe(12);
  expect(await readdir(folder)).toEqual(before);
  const ended = await memkeep(["init", "-s", "./memory.db", "-r", "./backups"], given);
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/local is there already/) });
});

test("the configuration in another folder has paths from there", async () => {
  const ended = await memkeep(["init", "-c", "etc/m.yaml", "-s", "./memory.db", "-r", "./b"], given);
  expect(ended).toMatchObject({ code: 0, stderr: expect.stringMatching(/memkeep status -c etc\/m.yaml/) });
  expect(await readFile(join(folder, "etc", "m.yaml"), "utf8")).toMatch(
    /path: ..\/memory.db(.*\n)*.*storage: ..\/b\n/,
  );
  expect(await readdir(join(folder, "b"))).toContain("config");
});

test.each([
  [["-s", "postgresql://me:hunter2@host/x"], {}, 64, /its URL holds a password/],
  [["-s", "falkordb://:hunter2@host:1/x"], {}, 64, /its URL holds a password/],
  [["-s", "postgresql://host/x?password=hunter2"], {}, 64, /its URL holds a password/],
  [["-s", "postgresql://me:${NOT_SET}@host/x"], {}, 64, /no variable NOT_SET.*\n.*Nothing was written/s],
  [["-s", "memory"], {}, 64, /write .\/memory\./],
  [["-s", "mysql://host/x"], {}, 64, /no kind of store for mysql:/],
  [["-s", "./memory.db", "--password-file", "pw"], {}, 64, /MEMKEEP_PASSWORD is set too/],
  [["-s", "./memory.db"], { MEMKEEP_PASSWORD: "" }, 64, /no password was given/],
  [["--recovery-key"], {}, 64, /Add --store/],
  [["--no-backup", "-r", "./backups"], {}, 64, /Add --store/],
  [[], {}, 64, /no configuration and no terminal to ask on\n.*memkeep init --store/],
])("init %j in words, and nothing is left behind", async (args, env, code, words) => {
  const before = await readdir(folder);
  const ended = await memkeep(["init", ...args], { ...given, ...env });
  expect(ended).toMatchObject({ code, stdout: "", stderr: expect.stringMatching(words) });
  expect(ended.stderr).not.toMatch(/hunter2|unexpected/);
  expect(await readdir(folder)).toEqual(before);
});

test("--yes where there is nothing says what can be named", async () => {
  await mkdir(join(folder, "empty"));
  const ended = await runMemkeep(["init", "--yes"], { cwd: join(folder, "empty"), env: given });
  expect(ended).toMatchObject({
    code: 64,
    stderr: expect.stringMatching(/memkeep init --store .\/memory.db/),
  });
});

test("law 4: what fails or is interrupted before the configuration stands leaves nothing, and nobody else's file goes", async () => {
  // A name under which no file can be made: the last step fails.
  await mkdir(join(folder, "etc", "memkeep.schema.json.d"), { recursive: true });
  await mkdir(join(folder, "backups", "data"), { recursive: true });
  await writeFile(join(folder, "backups", "data", "mine.txt"), "mine");
  const name = `${"x".repeat(240)}.yaml`;
  const ended = await memkeep(["init", "-c", name, "-s", "./memory.db", "--password-file", "./pw"]);
  expect(ended.code).toBe(64);
  expect((await readdir(folder)).sort()).toEqual(["backups", "etc", "memory.db"]);
  expect(await readdir(join(folder, "backups"))).toEqual(["data"]);
  expect(await readFile(join(folder, "backups", "data", "mine.txt"), "utf8")).toBe("mine");

  let signalled = false;
  const interrupted = await runMemkeep(["init", "-s", "./memory.db", "--password-file", "./pw"], {
    cwd: folder,
    onStart: (pid) => {
      // As soon as the first file stands.
      const look = async (): Promise<void> => {
        while (!signalled) {
          if ((await readdir(folder)).includes("pw")) {
            signalled = true;
            process.kill(pid, "SIGINT");
          }
        }
      };
      void look();
    },
  });
  signalled = true;
  expect(interrupted.code).toBe(130);
  expect((await readdir(folder)).sort()).toEqual(["backups", "etc", "memory.db"]);
});

test("a first backup that fails leaves a configuration to go on with", async () => {
  await writeFile(join(folder, "text.db"), "this is no database ".repeat(100));
  const ended = await memkeep(["init", "-s", "./text.db", "--json"], given);
  expect(ended.code).toBe(2);
  expect(JSON.parse(ended.stdout)).toMatchObject({
    files: [expect.any(String), "memkeep.yaml"],
    backup: null,
  });
  expect(JSON.parse(ended.stderr)).toMatchObject({ error: { code: "STORE_UNREADABLE" } });
  using database = new DatabaseSync(join(folder, "memory.db"), { readOnly: true });
  expect(database.prepare("select count(*) as n from memories").get()).toEqual({ n: 100 });
});

test("repositories of one configuration cut files in the same places, and one that does not is named", async () => {
  const repository = (name: string): string => `  ${name}: { storage: ./${name} }\n`;
  const stores =
    "version: 1\nstack: rose\nstores:\n  memory: { type: sqlite, path: ./memory.db }\nrepositories:\n";
  await writeFile(join(folder, "memkeep.yaml"), stores + repository("far") + repository("near"));
  const env = { MEMKEEP_PASSWORD: "correct horse battery staple" };
  expect((await runMemkeep(["init", "-r", "./near"], { cwd: folder, env })).code).toBe(0);
  expect((await runMemkeep(["init", "-r", "./alone"], { cwd: folder, env })).code).toBe(0);
  const both = await runMemkeep(["init", "--json"], { cwd: folder, env });
  expect(JSON.parse(both.stdout)).toMatchObject({
    repositories: [
      { name: "far", result: "made", cutsAs: "near" },
      { name: "near", result: "was there", cutsAs: "near" },
    ],
  });
  expect(both.stderr).toBe("");
  await writeFile(
    join(folder, "memkeep.yaml"),
    stores + repository("far") + repository("near") + repository("alone"),
  );
  const three = await runMemkeep(["init"], { cwd: folder, env });
  expect(three).toMatchObject({ code: 0, stderr: expect.stringMatching(/alone: it was made by itself/) });
  expect(three.stderr).not.toMatch(/near: it/);
});
