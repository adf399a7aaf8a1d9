import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MemkeepError } from "../domain/errors.ts";
import { Redactor } from "../util/redact/redactor.ts";
import type { Environment } from "./environment.ts";
import type { LoadedConfiguration } from "./configuration.ts";
import { type ConfigurationRequest, loadConfiguration } from "./load.ts";
import { describeOrigin, pathText } from "./origin.ts";
import { findPassword, splitWords } from "./password.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "memkeep-config-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const usual = `version: 1
stack: rose
stores:
  memory: { type: sqlite, path: ./memory.db }
repositories:
  local: { storage: ./backups }
  offsite: { type: restic, storage: { type: local, path: ../offsite }, retryLock: 5m }
backup:
  to: [local]
  minInterval: 5h
  keep: { last: 7, withinDaily: 30d }
  verify: restored
`;

async function load(text: string, more: Partial<ConfigurationRequest> = {}): Promise<LoadedConfiguration> {
  const file = join(folder, "memkeep.yaml");
  await writeFile(file, text);
  return loadConfiguration({ ...request({ HOME: folder }), file, ...more });
}

function request(environment: Environment): ConfigurationRequest {
  return {
    file: undefined,
    stores: [],
    repository: undefined,
    stack: undefined,
    cacheSize: undefined,
    environment,
    signal: new AbortController().signal,
    redactor: new Redactor(),
  };
}

async function problemsOf(text: string, more: Partial<ConfigurationRequest> = {}): Promise<string> {
  try {
    await load(text, more);
  } catch (error) {
    if (error instanceof MemkeepError && error.exitCode === 64) {
      const problems = (error.details?.["problems"] ?? []) as string[];
      return [error.message, ...problems].join("\n").replaceAll(`${folder}/`, "");
    }
    throw error;
  }
  throw new Error("the configuration was taken");
}

test("a file becomes a stack, paths begin at the file's folder", async () => {
  const { configuration } = await load(usual);
  expect(configuration.stack).toBe("rose");
  expect(configuration.stores).toMatchObject([
    { name: "memory", kind: "sqlite", optional: false, config: { path: join(folder, "memory.db") } },
  ]);
  expect(configuration.repositories).toMatchObject([
    { name: "local", retryLockMs: 0, place: { kind: "local", config: { path: join(folder, "backups") } } },
    { name: "offsite", retryLockMs: 300_000, place: { config: { path: join(folder, "..", "offsite") } } },
  ]);
  expect(configuration.backup).toEqual({
    to: ["local"],
    minIntervalMs: 18_000_000,
    keep: { last: 7, withinDaily: { years: 0, months: 0, days: 30, hours: 0 } },
    prune: true,
    verify: "restored",
    stallLimitMs: 300_000,
    catchUp: false,
    tags: [],
  });
});

test("every value knows its origin: flag before variable before file before default", async () => {
  const text = usual.replace("stack: rose", "stack: ${STACK}");
  const { configuration } = await load(text, {
    repository: "./other",
    environment: { STACK: "blue", MEMKEEP_REPOSITORY: "./never", MEMKEEP_PASSWORD: "hunter2222" },
  });
  const origins = Object.fromEntries(
    configuration.values.map(({ path, value, origin }) => [
      pathText(path),
      `${String(value)} from ${describeOrigin(origin).replace(`${folder}/`, "")}`,
    ]),
  );
  expect(origins).toMatchObject({
    stack: "blue from memkeep.yaml:2 (STACK)",
    "stores.memory.path": expect.stringContaining("from memkeep.yaml:4"),
    "stores.memory.optional": "false from default",
    "repositories.other.storage": "./other from --repository",
    "repositories.other.password": "*** from MEMKEEP_PASSWORD",
  });
  expect(Object.keys(origins)).not.toContain("repositories.local.storage");
});

test("the cache's limit: a flag beats MEMKEEP_CACHE_SIZE, that the file, the file the default", async () => {
  const file = `${usual}cache: { size: 2GB }\n`;
  const environment = { MEMKEEP_CACHE_SIZE: "3MB" };
  const sizes = [
    await load(usual),
    await load(file),
    await load(file, { environment }),
    await load(file, { environment, cacheSize: "0" }),
  ].map(({ configuration }) => [
    configuration.cacheBytes,
    ...configuration.values.filter(({ path }) => path[0] === "cache").map(({ origin }) => origin.kind),
  ]);
  expect(sizes).toEqual([[512 * 2 ** 20], [2e9, "file"], [3e6, "variable"], [0, "flag"]]);
  await expect(load(usual, { environment: { MEMKEEP_CACHE_SIZE: "much" } })).rejects.toMatchObject({
    code: "USAGE",
    message: expect.stringMatching(/MEMKEEP_CACHE_SIZE.*"much" is no size/),
  });
});

test.each([
  [
    "an unknown key",
    "stors:\n  a: 1\n",
    /memkeep.yaml:1:1: stors: there is no such key; did you mean `stores`\?/,
  ],
  [
    "an unknown key of a kind",
    usual.replace("path:", "pth:"),
    /4:27: stores.memory.pth: .*did you mean `path`/,
  ],
  [
    "an unknown kind",
    usual.replace("sqlite", "sqllite"),
    /4:19: stores.memory.type: .*did you mean `sqlite`/,
  ],
  ["a missing key", usual.replace(", path: ./memory.db", ""), /4:11: stores.memory.path: it is missing/],
  ["a wrong type", usual.replace("stack: rose", "stack: [rose]"), /2:8: stack: expected text, found a list/],
  ["a wrong duration", usual.replace("5h", "5 hours"), /10:16: backup.minInterval: expected a duration/],
  ["a wrong level", usual.replace("verify: restored", "verify: restore"), /12:11: .*did you mean `restored`/],
  ["an unknown repository", usual.replace("[local]", "[locl]"), /9:8: backup.to.0: .*did you mean `local`/],
  [
    "no rule to keep",
    usual.replace("{ last: 7, withinDaily: 30d }", "{}"),
    /11:9: backup.keep: expected at least/,
  ],
  ["what a later version does", `${usual}alerts: {}\n`, /13:1: alerts: this version sends no alerts/],
  [
    "a store that is no name",
    usual.replace("memory:", "__proto__:"),
    /4:3: stores.__proto__: this is no name/,
  ],
  ["a tab", "version: 1\nstores:\n\tmemory: 1\n", /3:1: a tab indents this line/],
  ["a duplicate key", "version: 1\nstack: a\nstack: b\n", /3:1: this key stands here for the second time/],
  [
    "two stores with one name",
    usual.replace("repositories:", "  memory: { type: sqlite, path: b }\nrepositories:"),
    /5:3: this key stands here/,
  ],
  ["two documents", `${usual}---\n${usual}`, /a second document/],
  [
    "an unknown variable",
    usual.replace("stack: rose", "stack: ${NOPE}"),
    /2:8: stack: the environment has no variable NOPE/,
  ],
  ["a broken variable", usual.replace("stack: rose", "stack: ${NO PE}"), /2:8: stack: .*begins no variable/],
  ["a file that is none", usual.replace("./backups", "https://u:hunter2@x/y"), /6:21: .*web address/],
  ["brackets without end", "[".repeat(200_000), /nested too deeply/],
  ["ten megabytes", `# ${"x".repeat(10_000_000)}`, /more than 1 MiB/],
  ["a list", "- a\n", /expected keys with values, found a list/],
  ["nothing", "", /missing/],
])("%s is told with its place, exit 64", async (_name, text, expected) => {
  const told = await problemsOf(text);
  expect(told).toMatch(expected);
  expect(told).not.toContain("hunter2");
});

test("W-C10: a schedule is refused with what to do instead, and never read in part", async () => {
  for (const schedule of ["0 3 * * 0", "0 */6 * * *"]) {
    const problems = await problemsOf(usual.replace("minInterval: 5h", `schedule: "${schedule}"`));
    expect(problems).toMatch(/backup\.schedule.*no scheduler yet; run `memkeep backup` from cron/);
  }
});

test("aliases that multiply are refused, not resolved", async () => {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"];
  for (let n = 1; n < 12; n++)
    lines.push(`a${n}: &a${n} [${Array.from({ length: 9 }, () => `*a${n - 1}`).join(", ")}]`);
  expect(await problemsOf(lines.join("\n"))).toMatch(/alias/);
});

test("an empty file, a folder and a missing file are told", async () => {
  await expect(loadConfiguration({ ...request({}), file: folder })).rejects.toThrow(/folder/);
  await expect(loadConfiguration({ ...request({}), file: join(folder, "no.yaml") })).rejects.toThrow(
    /no such file/,
  );
  await expect(loadConfiguration(request({ MEMKEEP_CONFIG: join(folder, "no.yaml") }))).rejects.toThrow(
    /no such file/,
  );
});

test("variables: default, file of a secret, and a plain ${", async () => {
  await writeFile(join(folder, "secret"), "from-a-file\n");
  const text = usual.replace("./memory.db", () => '"${A:-./a}/${B}/$${C}"');
  const { configuration } = await load(text, { environment: { A: "", B_FILE: join(folder, "secret") } });
  expect(configuration.stores[0]!.config).toMatchObject({ path: join(folder, "a", "from-a-file", "${C}") });
});

test("a variable's text is read as a number where one is wanted, and never as YAML", async () => {
  const text = usual.replace(
    "path: ./memory.db",
    'path: ./memory.db, busyTimeout: "${WAIT}", maxRestarts: "${N}"',
  );
  const { configuration } = await load(text, { environment: { WAIT: "1234ms", N: "7" } });
  expect(configuration.stores[0]!.config).toMatchObject({ busyTimeout: 1234, maxRestarts: 7 });
  expect(await problemsOf(text, { environment: { WAIT: "1s", N: "1 }\nstack: other" } })).toMatch(
    /maxRestarts: expected a number/,
  );
});

test("without a file: the stack and the store have the name of the database file", async () => {
  const { configuration } = await loadConfiguration({
    ...request({ MEMKEEP_CONFIG: "" }),
    stores: ["./data/memory.db", "other=sqlite:./b.db"],
    repository: "./backups",
  });
  expect(configuration.stack).toBe("memory");
  expect(configuration.stores.map(({ name, kind }) => [name, kind])).toEqual([
    ["memory", "sqlite"],
    ["other", "sqlite"],
  ]);
  expect(configuration.repositories).toMatchObject([{ name: "backups" }]);
});

test("a path may hold what a URL may not", async () => {
  const path = "./a b#c?d%20\n.db";
  const { configuration } = await loadConfiguration({ ...request({}), stores: [path], repository: "./r" });
  expect(configuration.stores[0]!.config).toMatchObject({ path });
});

test.each([
  [["a/memory.db", "b/memory.db"], /two stores would have the name memory/],
  [["sqlitte:./a.db"], /no kind of store for sqlitte:.*Did you mean sqlite:/s],
])("stores %j are refused", async (stores, expected) => {
  const error: unknown = await loadConfiguration({ ...request({}), stores, repository: "./r" }).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(MemkeepError);
  expect((error as MemkeepError).exitCode).toBe(64);
  expect(`${(error as MemkeepError).message} ${(error as MemkeepError).next}`).toMatch(expected);
});

test("a misspelt repository is told; a path of that name still works", async () => {
  await expect(load(usual, { repository: "ofsite" })).rejects.toThrow(/offsite/);
  const { configuration } = await load(usual, { repository: "./ofsite" });
  expect(configuration.repositories).toMatchObject([{ name: "ofsite" }]);
});

test("law 10: secrets of the file are masked in values and in what goes into manifests", async () => {
  const text = usual
    .replace("{ storage: ./backups }", '{ storage: ./backups, password: "hunter2-hunter2" }')
    .replace("path: ./memory.db", 'path: "xy://me:s3cr3t@host/y"')
    .replace(
      "repositories:",
      '  vectors: { type: qdrant, url: "http://localhost:6333", apiKey: "k3y-of-qdrant", collections: [m] }\nrepositories:',
    );
  const { configuration } = await load(text);
  const { values, masked, stores, repositories } = configuration;
  const printed = JSON.stringify([values, masked, repositories]);
  expect(printed).not.toMatch(/hunter2|s3cr3t|k3y-of/);
  expect(JSON.stringify(stores)).not.toContain("k3y-of");
  expect(printed).toContain("***");
});

test("a password is found in the documented order", async () => {
  await writeFile(join(folder, "pw"), "from-file\n");
  await mkdir(join(folder, "bin"));
  const command = join(folder, "bin", "pass word");
  await writeFile(command, '#!/bin/sh\nprintf "%s\\n" "from $1"\n');
  await chmod(command, 0o700);
  const { configuration } = await load(
    usual.replace(
      "{ storage: ./backups }",
      `{ storage: ./backups, passwordCommand: [${JSON.stringify(command)}, "a b"] }`,
    ),
  );
  const find = async (environment: Environment): Promise<string> => {
    const found = await findPassword(configuration.repositories[0]!, {
      environment,
      signal: new AbortController().signal,
      redactor: new Redactor(),
      ask: undefined,
    });
    return found.secret.reveal();
  };
  const all: [string, string][] = [
    ["MEMKEEP_PASSWORD", "own"],
    ["MEMKEEP_PASSWORD_FILE", join(folder, "pw")],
    ["MEMKEEP_PASSWORD_COMMAND", `'${command}' "c d"`],
    ["RESTIC_PASSWORD", "restic"],
  ];
  const found: string[] = [];
  for (let from = 0; from <= all.length; from++) found.push(await find(Object.fromEntries(all.slice(from))));
  expect(found).toEqual(["own", "from-file", "from c d", "restic", "from a b"]);
});

test("a password command that fails, hangs on or says nothing is told without its output", async () => {
  const access = { signal: new AbortController().signal, redactor: new Redactor(), ask: undefined };
  const { configuration } = await load(usual);
  const repository = configuration.repositories[0]!;
  for (const [command, expected] of [
    ["/bin/sh -c 'echo hunter2; exit 3'", /ended with code 3/],
    ["/bin/true", /is empty/],
    ["/no/such/program", /does not start/],
  ] as const) {
    const environment = { MEMKEEP_PASSWORD_COMMAND: command };
    const error: unknown = await findPassword(repository, { ...access, environment }).catch(
      (thrown: unknown) => thrown,
    );
    expect(String(error)).toMatch(expected);
    expect(String(error)).not.toContain("hunter2");
  }
  await expect(findPassword(repository, { ...access, environment: {} })).rejects.toThrow(
    /no password was given/,
  );
});

test("words of a command are divided as in a shell, and nothing is expanded", () => {
  expect(splitWords(`pass show "a b" 'c "d' e\\ f $HOME ; rm`)).toEqual([
    "pass",
    "show",
    "a b",
    'c "d',
    "e f",
    "$HOME",
    ";",
    "rm",
  ]);
});
