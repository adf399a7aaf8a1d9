/**
 * Stops backup, forget, prune and repair after every operation that they ask of the storage, as a power cut would. Each time
 * stock restic finds nothing wrong, earlier snapshots come back byte for byte, and the next run needs no help.
 */
import { cp, rm } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ResticRepository } from "../../src/repository/restic/restic-repository.ts";
import { FaultyStorage, type ScriptedFault } from "../../src/storages/decorators/faults.ts";
import { program } from "../engines/require.ts";
import { seededBytes } from "./random-bytes.ts";
import { stockCheck } from "./stock.ts";
import { backup, type Content, makeWorld, restore, type World } from "./world.ts";

const restic = await program("restic-0.18.0");
const signal = new AbortController().signal;
const everything = { maxUnused: 0, maxRepackBytes: undefined };

/** Half of `second` lies in the pack of `first`: pruning `first` has to rewrite that pack. */
const half = seededBytes(1, 150_000);
const first: Content = { "store/a.jsonl": Buffer.concat([half, seededBytes(2, 150_000)]) };
const second: Content = { "store/a.jsonl": half, "store/b.jsonl": seededBytes(3, 60_000) };
const third: Content = { "store/a.jsonl": Buffer.concat([half, seededBytes(4, 90_000)]) };

let world: World;
const ids = { first: "", second: "", gone: "" };

beforeAll(async () => {
  world = await makeWorld();
  ids.first = (await backup(world.process(), first)).id;
  ids.gone = (await backup(world.process(), { "store/c.jsonl": seededBytes(5, 40_000) })).id;
  ids.second = (await backup(world.process(), second)).id;
  // The remains of an interrupted backup: a pack that no index lists.
  const dying = world.process(
    (storage) => new FaultyStorage(storage, [{ kind: "stop", at: 2, on: "write" }]),
  );
  await expect(backup(dying, { "store/d.jsonl": seededBytes(6, 30_000) })).rejects.toThrow();
  await cp(world.path, `${world.path}-template`, { recursive: true });
});

afterAll(() => world[Symbol.asyncDispose]());

async function reset(): Promise<void> {
  await rm(world.path, { recursive: true });
  await cp(`${world.path}-template`, world.path, { recursive: true });
}

interface Operation {
  readonly name: string;
  readonly prepare: () => Promise<unknown>;
  readonly run: (repository: ResticRepository) => Promise<unknown>;
  /** Whether its work is done, judged by another process. */
  readonly isDone: (repository: ResticRepository) => Promise<boolean>;
  /** What must come back after each stop, by snapshot. */
  readonly survivors: () => Readonly<Record<string, Content>>;
}

const operations: readonly Operation[] = [
  {
    name: "backup",
    prepare: () => Promise.resolve(),
    run: (repository) => backup(repository, third),
    isDone: async (repository) => {
      const contents = (await repository.snapshots()).map(async ({ id }) =>
        restore(await repository.open(id)),
      );
      return (await Promise.all(contents)).some((files) => isDeepStrictEqual(files, third));
    },
    survivors: () => ({ [ids.first]: first, [ids.second]: second }),
  },
  {
    name: "forget",
    prepare: () => addProof(ids.gone),
    run: async (repository) => {
      const there = new Set((await repository.snapshots()).map(({ id }) => id));
      await repository.forget([ids.first, ids.gone].filter((id) => there.has(id)));
    },
    isDone: async (repository) => {
      const left = [...(await repository.snapshots()).map(({ id }) => id), ...(await repository.proofs())];
      return isDeepStrictEqual(left, [ids.second]);
    },
    survivors: () => ({ [ids.second]: second }),
  },
  {
    name: "prune",
    prepare: () => world.process().forget([ids.first, ids.gone]),
    run: (repository) => repository.prune(everything),
    isDone: async (repository) => {
      const { removePacks, repackPacks } = await repository.planPrune(everything);
      return removePacks + repackPacks === 0;
    },
    survivors: () => ({ [ids.second]: second }),
  },
  {
    name: "repair",
    prepare: removeIndex,
    run: (repository) => repository.repair(),
    isDone: async (repository) => (await repository.check({ data: true, signal })).findings.length === 0,
    survivors: () => ({}),
  },
];

describe.skipIf(restic.missing)("crash sweep", () => {
  test.each(operations)(
    "laws 4 and 9: $name stopped at any operation leaves every snapshot whole and the next run needs no help",
    async (operation) => {
      const count = await countOperations(operation);
      expect(count).toBeGreaterThan(5);
      for (let at = 1; at <= count; at++) {
        const stopped = await runWith(operation, { kind: "stop", at });
        expect(stopped.history.length, "it was stopped before its end").toBeGreaterThanOrEqual(at);
        if (operation.name !== "repair") await stockCheck(restic.path, world.path);
        await expectSound(operation, `stopped at ${at} of ${count}: ${stopped.history[at - 1]}`);
      }
    },
    1_200_000,
  );

  test.each(operations)(
    "law 8: $name told of any failed operation, done or not, says so or has done its work",
    async (operation) => {
      const count = await countOperations(operation);
      for (let at = 1; at <= count; at++) {
        const failed = await runWith(operation, { kind: "fail", at, after: at % 2 === 0 });
        if (failed.saidWell) {
          const judge = world.process();
          expect(
            await operation.isDone(judge),
            `said to be done, failed at ${at}: ${failed.history[at - 1]}`,
          ).toBe(true);
          await judge.close();
        }
        await expectSound(operation, `failed at ${at} of ${count}: ${failed.history[at - 1]}`);
      }
    },
    1_200_000,
  );
});

async function countOperations(operation: Operation): Promise<number> {
  await reset();
  await operation.prepare();
  const counted = new FaultyStorage(world.process().storage);
  await operation.run(world.process(() => counted));
  return counted.history.length;
}

/** Runs the operation into the fault. `saidWell`: it resolved. */
async function runWith(
  operation: Operation,
  fault: ScriptedFault,
): Promise<{ readonly history: readonly string[]; readonly saidWell: boolean }> {
  await reset();
  await operation.prepare();
  const faulty = new FaultyStorage(world.process().storage, [fault]);
  const repository = world.process(() => faulty);
  const saidWell = await operation.run(repository).then(
    () => true,
    () => false,
  );
  await repository.close();
  return { history: faulty.history, saidWell };
}

async function expectSound(operation: Operation, when: string): Promise<void> {
  const next = world.process();
  for (const [id, content] of Object.entries(operation.survivors())) {
    expect(await restore(await next.open(id)), when).toEqual(content);
  }
  await expect(operation.run(next), when).resolves.not.toThrow();
  const { findings } = await next.check({ data: true, signal });
  expect(findings, when).toEqual([]);
  await next.close();
}

async function addProof(snapshot: string): Promise<void> {
  const at = new Date(world.clock.now()).toISOString();
  const proof = {
    snapshot,
    level: "stored",
    ok: true,
    at,
    program: "test",
    durationMs: 1,
    stores: [],
  } as const;
  await world.process().addProof(proof);
}

async function removeIndex(): Promise<void> {
  const { objects } = world.process();
  for await (const { id } of objects.list("index")) await objects.remove("index", id);
}
