/**
 * Kills a real process at random moments of backup, forget and prune. After each death stock restic finds nothing wrong and
 * what was said to be made is there; the next process works without help. `MEMKEEP_KILLS` says how often;
 * 200 times with `MEMKEEP_NIGHTLY=1`.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/util/clock/clock.ts";
import { program } from "../engines/require.ts";
import { contentOf } from "./kill-content.ts";
import { stockCheck } from "./stock.ts";
import { makeWorld, restore } from "./world.ts";

const kills = Number(process.env["MEMKEEP_KILLS"] ?? (process.env["MEMKEEP_NIGHTLY"] ? 200 : 30));
const target = fileURLToPath(new URL("kill-target.ts", import.meta.url));
const restic = await program("restic-0.18.0");

interface Life {
  /** Seeds of snapshots that were said to be made, by id. */
  readonly made: ReadonlyMap<string, number>;
  /** Snapshots that may be gone. */
  readonly forgetting: ReadonlySet<string>;
  /** Said on stderr: an error of its own, which must not be. */
  readonly complaint: string;
}

describe.skipIf(restic.missing)("killed processes", () => {
  test(`laws 4 and 9: ${kills} random SIGKILLs lose nothing that was made`, async () => {
    await using world = await makeWorld(systemClock);
    const alive = new Map<string, number>();
    let seed = 1;
    for (let kill = 1; kill <= kills; kill++) {
      // A run of all operations takes about two seconds; most of the time the process is somewhere in it.
      const life = await liveAndDie(world.path, seed, Math.random() * 2500);
      expect(life.complaint).toBe("");
      for (const [id, madeFrom] of life.made) alive.set(id, madeFrom);
      seed += life.made.size + 1;
      const reader = world.process();
      const there = new Set((await reader.snapshots()).map(({ id }) => id));
      for (const id of life.forgetting) if (!there.has(id)) alive.delete(id);
      await stockCheck(restic.path, world.path);
      for (const [id, madeFrom] of alive) {
        expect(await restore(await reader.open(id)), `kill ${kill}`).toEqual(contentOf(madeFrom));
      }
      await reader.close();
    }
    expect(seed, "some of them came to an end of a backup").toBeGreaterThan(kills + 1);
  }, 3_600_000);
});

/** Starts the process, waits until it has opened the repository and some time more, and kills it. */
async function liveAndDie(path: string, seed: number, lifeMs: number): Promise<Life> {
  const child = spawn(process.execPath, [target, path, String(seed)], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const made = new Map<string, number>();
  const forgetting = new Set<string>();
  let complaint = "";
  child.stderr.on("data", (data: Buffer) => (complaint += data.toString()));
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [word, ...rest] = line.split(" ");
    if (word === "ready") setTimeout(() => child.kill("SIGKILL"), lifeMs);
    if (word === "made") made.set(rest[0]!, Number(rest[1]));
    if (word === "forgetting") for (const id of rest) forgetting.add(id);
  });
  await ended;
  return { made, forgetting, complaint };
}
