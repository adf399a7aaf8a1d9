/**
 * The process that `kill.test.ts` kills: opens the repository whose path it is given, and backs up, forgets and prunes until it
 * dies. It says on stdout what it is about to do and what is done, so that the test knows what must be there afterwards.
 */
import { openRepository } from "../../src/repository/restic/open-repository.ts";
import { LocalStorage } from "../../src/storages/local/storage.ts";
import { systemClock } from "../../src/util/clock/clock.ts";
import { contentOf } from "./kill-content.ts";
import { backup, password } from "./world.ts";

const [path, firstSeed] = process.argv.slice(2);

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const repository = await openRepository({
  storage: new LocalStorage(path!),
  password,
  clock: systemClock,
  program: "memkeep 0.1.0",
  retryLockMs: 0,
  signal: new AbortController().signal,
});
say("ready");
for (let seed = Number(firstSeed); ; seed++) {
  const { id } = await backup(repository, contentOf(seed));
  say(`made ${id} ${seed}`);
  const old = (await repository.snapshots()).slice(2).map((snapshot) => snapshot.id);
  if (old.length > 0) {
    say(`forgetting ${old.join(" ")}`);
    await repository.forget(old);
  }
  await repository.prune({ maxUnused: seed % 2 === 0 ? 0 : 0.3, maxRepackBytes: undefined });
}
