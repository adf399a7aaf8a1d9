/**
 * Damages every file of a repository in every way and looks what becomes of it: the check names the file and the snapshots
 * that it harms, all others still restore, and a repair brings back what can be brought back.
 */
import { cp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Finding } from "../../src/repository/repository.ts";
import { packName } from "../../src/repository/restic/pack/pack-name.ts";
import type { ResticRepository } from "../../src/repository/restic/restic-repository.ts";
import { program } from "../engines/require.ts";
import { seededBytes } from "./random-bytes.ts";
import { stockCheck } from "./stock.ts";
import { backup, type Content, makeWorld, restore, type World } from "./world.ts";

const restic = await program("restic-0.18.0");
const signal = new AbortController().signal;

const shared = seededBytes(1, 120_000);
const contents: readonly Content[] = [
  { "store/a.jsonl": shared },
  { "store/a.jsonl": shared, "store/b.jsonl": seededBytes(2, 80_000) },
  { "store/c.jsonl": Buffer.concat([seededBytes(3, 60_000), shared]) },
  { "store/d.jsonl": seededBytes(4, 50_000) },
];

let world: World;
/** Contents by snapshot. */
const snapshots = new Map<string, Content>();
let files: string[] = [];
const treePacks = new Set<string>();

beforeAll(async () => {
  world = await makeWorld();
  const repository = world.process();
  for (const content of contents) snapshots.set((await backup(repository, content)).id, content);
  for (const snapshot of [...snapshots.keys()].slice(0, 2)) {
    const at = new Date(world.clock.now()).toISOString();
    await repository.addProof({
      snapshot,
      level: "stored",
      ok: true,
      at,
      program: "test",
      durationMs: 1,
      stores: [],
    });
  }
  const entries = await readdir(world.path, { recursive: true, withFileTypes: true });
  files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(world.path.length + 1))
    .sort();
  const { index } = await repository.index();
  for (let entry = 0; entry < index.size; entry++) {
    if (index.type(entry) === "tree") treePacks.add(packName(index.packId(index.packOf(entry))));
  }
  await cp(world.path, `${world.path}-template`, { recursive: true });
});

afterAll(() => world[Symbol.asyncDispose]());

type Damage = (path: string, file: string) => Promise<void>;

const damages: Readonly<Record<string, Damage>> = {
  "first byte flipped": (path) => flip(path, () => 0),
  "middle byte flipped": (path) => flip(path, (size) => size >> 1),
  "last byte flipped": (path) => flip(path, (size) => size - 1),
  truncated: async (path) => truncate(path, Math.floor((await readFile(path)).length * 0.7)),
  emptied: (path) => truncate(path, 0),
  removed: (path) => rm(path),
  "swapped with a sibling": async (path, file) => {
    const siblings = files.filter((other) => other !== file && kindOf(other) === kindOf(file));
    const sibling = join(world.path, siblings[0] ?? files.find((other) => other !== file)!);
    const [mine, theirs] = await Promise.all([readFile(path), readFile(sibling)]);
    await writeFile(path, theirs);
    await writeFile(sibling, mine);
  },
};

async function flip(path: string, at: (size: number) => number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at(bytes.length)]! ^= 0x10;
  await writeFile(path, bytes);
}

function kindOf(file: string): string {
  return file.startsWith("data/") ? "data" : dirname(file);
}

/** A snapshot or a proof that is gone has left no trace: to the repository it was forgotten. */
function isBeyondKnowing(file: string, damage: string): boolean {
  return damage === "removed" && ["snapshots", "memkeep/proofs"].includes(kindOf(file));
}

describe("damage sweep", () => {
  test.each(Object.keys(damages))(
    "law 3: every file %s is found, named with the snapshots it harms, and repaired where it can be",
    async (damage) => {
      for (const file of files) {
        await rm(world.path, { recursive: true });
        await cp(`${world.path}-template`, world.path, { recursive: true });
        await damages[damage]!(join(world.path, file), file);
        const repository = world.process();
        await expectFound(repository, file, damage);
        await expectRepaired(repository, file, damage);
        await repository.close();
      }
    },
    1_200_000,
  );
});

async function expectFound(repository: ResticRepository, file: string, damage: string): Promise<void> {
  const when = `${file} ${damage}`;
  const { findings } = await repository.check({ data: true, signal });
  if (isBeyondKnowing(file, damage)) return;
  const named = findings.filter((finding) => names(finding, file));
  expect(named.length, `${when}: ${JSON.stringify(findings)}`).toBeGreaterThan(0);
  const harmed = new Set(findings.flatMap((finding) => finding.snapshots));
  const unreadable = await unreadableSnapshots(repository);
  for (const id of unreadable) expect(harmed, `${when}: ${id} does not restore`).toContain(id);
  // What is said to be harmed is harmed; but keys and config harm only those who open the repository anew.
  if (["data", "index", "snapshots"].includes(kindOf(file))) {
    expect([...harmed].sort(), `${when}: ${JSON.stringify(findings)}`).toEqual(unreadable);
  }
}

/** An index file that is gone can only be missed as a part of the index. */
function names(finding: Finding, file: string): boolean {
  return (
    finding.file === file ||
    (kindOf(file) === "index" && finding.file === "index") ||
    (kindOf(file) === "keys" && finding.file === "keys")
  );
}

/** Snapshots that do not come back byte for byte. */
async function unreadableSnapshots(repository: ResticRepository): Promise<string[]> {
  repository.forgetIndex();
  const broken: string[] = [];
  for (const [id, content] of snapshots) {
    try {
      expect(await restore(await repository.open(id))).toEqual(content);
    } catch {
      broken.push(id);
    }
  }
  return broken.sort();
}

async function expectRepaired(repository: ResticRepository, file: string, damage: string): Promise<void> {
  const when = `${file} ${damage}`;
  const before = await unreadableSnapshots(repository);
  const said = await repository.repair();
  expect(said.length).toBeGreaterThan(0);
  const after = await unreadableSnapshots(repository);
  for (const id of after) expect(before, `${when}: a repair harmed ${id}`).toContain(id);
  const kind = kindOf(file);
  // Two packs, or two snapshots, that were swapped are both whole: nothing of them may be lost.
  if (damage === "swapped with a sibling" && ["data", "snapshots"].includes(kind))
    expect(after, when).toEqual([]);
  if (
    kind === "index" ||
    kind === "memkeep/proofs" ||
    (file === "config" && damage !== "swapped with a sibling")
  ) {
    const { findings } = await repository.check({ data: true, signal });
    expect(findings, `${when} after repair`).toEqual([]);
  }
  // A lost folder does not come back: that of a new snapshot has a new time in it.
  if (kind !== "data" || treePacks.has(file)) return;
  // Lost chunks come back with the next backup of the same content, and heal the old snapshots.
  for (const content of contents) await backup(repository, content);
  const { findings } = await repository.check({ data: true, signal });
  expect(findings, `${when} after repair and backup`).toEqual([]);
  expect(await unreadableSnapshots(repository), `${when} after repair and backup`).toEqual([]);
  if (!restic.missing) await stockCheck(restic.path, world.path);
}
