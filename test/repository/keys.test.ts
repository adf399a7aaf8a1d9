/** Passwords of a repository: several, for memkeep and for stock restic, whatever happens while they change. */
import { cp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newRecoveryKey } from "../../src/domain/recovery-key.ts";
import { openRepository } from "../../src/repository/restic/open-repository.ts";
import type { ResticRepository } from "../../src/repository/restic/restic-repository.ts";
import { type Clock, systemClock } from "../../src/util/clock/clock.ts";
import { FaultyStorage } from "../../src/storages/decorators/faults.ts";
import { LocalStorage } from "../../src/storages/local/storage.ts";
import type { Storage } from "../../src/storages/storage.ts";
import { program } from "../engines/require.ts";
import { stock } from "./stock.ts";
import { backup, makeWorld, password, type World } from "./world.ts";

const stocks = [await program("restic-0.14.0"), await program("restic-0.18.0")];
const [, restic] = stocks;
const other = "another password";

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

function open(
  opening: string,
  wrap = (storage: Storage): Storage => storage,
  clock: Clock = world.clock,
): Promise<ResticRepository> {
  return openRepository({
    storage: wrap(new LocalStorage(world.path)),
    password: opening,
    clock,
    program: "memkeep test",
    retryLockMs: 60_000,
    signal: new AbortController().signal,
  });
}

async function opens(opening: string): Promise<boolean> {
  try {
    await (await open(opening)).close();
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: "PASSWORD_WRONG" });
    return false;
  }
}

test("a second password and a recovery key open it, and the list says which is which", async () => {
  const recovery = newRecoveryKey();
  expect(recovery).toMatch(/^([2-9A-HJKMNP-TV-Z]{4}-){6}[2-9A-HJKMNP-TV-Z]{4}$/);
  const repository = await open(password);
  await repository.addKey(other);
  await repository.addKey(recovery, { recovery: true });
  expect(await repository.keys()).toMatchObject([
    { current: true, recovery: false },
    { current: false, recovery: false },
    { current: false, recovery: true },
  ]);
  await repository.close();
  for (const opening of [password, other, recovery]) expect(await opens(opening)).toBe(true);
});

test("the key in use and the last one stay; another goes, and opens it no more", async () => {
  const repository = await open(password);
  const [own] = await repository.keys();
  await expect(repository.removeKey(own!.id)).rejects.toThrow(/it is the only one/);
  const added = await repository.addKey(other);
  await expect(repository.removeKey(own!.id)).rejects.toThrow(/was just used/);
  await expect(repository.removeKey("")).rejects.toMatchObject({ code: "USAGE" });
  await expect(repository.removeKey("../config")).rejects.toMatchObject({ code: "USAGE" });
  expect((await repository.removeKey(added.slice(0, 10))).id).toBe(added);
  await repository.close();
  expect([await opens(password), await opens(other)]).toEqual([true, false]);
});

test("a wrong password tells which keys there are; an unreadable one is no obstacle", async () => {
  await (await open(password)).addKey(newRecoveryKey(), { recovery: true });
  await writeFile(join(world.path, "keys", "0".repeat(64)), "no key");
  const error: unknown = await open("wrong").catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: expect.stringMatching(/PASSWORD_WRONG|REPOSITORY_DAMAGED/) as string });
  await rm(join(world.path, "keys", "0".repeat(64)));
  await expect(open("wrong")).rejects.toMatchObject({
    code: "PASSWORD_WRONG",
    details: {
      keys: [
        expect.stringMatching(/made by .+ at .+ on \d{4}-/),
        expect.stringMatching(/a recovery key/),
      ] as unknown,
    },
  });
});

test("two processes that change keys at once: one waits its turn, and every password told to be there opens it", async () => {
  // On a clock that skips its sleeps, whoever waits would use up his time while the other works.
  const plain = (storage: Storage): Storage => storage;
  const [one, two] = [await open(password, plain, systemClock), await open(password, plain, systemClock)];
  await Promise.all([one.addKey("first new one"), two.replacePassword("second new one")]);
  expect([await opens("first new one"), await opens("second new one"), await opens(password)]).toEqual([
    true,
    true,
    false,
  ]);
  await one.close();
  await two.close();
});

describe.skipIf(restic!.missing)("stock restic", () => {
  test.each(stocks.map(({ path }) => [path]))(
    "%s opens with every password, and memkeep with restic's",
    async (path) => {
      const repository = await open(password);
      await backup(repository, { "a.jsonl": Buffer.from("a\n") });
      await repository.addKey(other);
      await repository.close();
      expect(await stock(path, world.path, ["snapshots"], other)).toMatchObject({ code: 0 });
      const list = await stock(path, world.path, ["key", "list"], other);
      expect(list.stdout.split("\n").filter((line) => /[0-9a-f]{8} /.test(line))).toHaveLength(2);
      const file = join(world.folder, "new");
      await writeFile(file, "restic's own\n");
      expect(await stock(path, world.path, ["key", "add", "--new-password-file", file])).toMatchObject({
        code: 0,
      });
      const again = await open("restic's own");
      expect(await again.keys()).toHaveLength(3);
      const [gone] = (await again.keys()).filter(({ current }) => !current);
      await again.removeKey(gone!.id);
      await again.close();
      expect(await stock(path, world.path, ["check"], "restic's own")).toMatchObject({ code: 0 });
    },
  );
});

describe("crashes", () => {
  test("law 4: stopped after any operation, a change of the password leaves one that opens it", async () => {
    await cp(world.path, `${world.path}-template`, { recursive: true });
    const counting = new FaultyStorage(new LocalStorage(world.path));
    const first = await open(password, () => counting);
    const before = counting.history.length;
    await first.replacePassword(other);
    const operations = counting.history.length - before;
    await first.close();
    expect(operations).toBeGreaterThan(4);
    for (let at = before + 1; at <= before + operations; at++) {
      await rm(world.path, { recursive: true });
      await cp(`${world.path}-template`, world.path, { recursive: true });
      const script = [{ kind: "stop", at, after: true }] as const;
      const dying = await open(password, (storage) => new FaultyStorage(storage, script));
      await dying.replacePassword(other).catch(() => undefined);
      expect([await opens(password), await opens(other)], String(at)).toContain(true);
    }
  });
});
