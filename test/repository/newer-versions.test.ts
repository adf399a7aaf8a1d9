/** What a newer memkeep wrote is refused with words and an exit code, never guessed at, and never taken for damage. */
import { hash } from "node:crypto";
import { cp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { goldenPassword } from "../golden/contents.ts";
import { type Ended, makeFolder, removeFolder, runMemkeep } from "../cli/run-memkeep.ts";
import { beginSnapshot } from "../../src/repository/restic/begin-snapshot.ts";
import { openRepository } from "../../src/repository/restic/open-repository.ts";
import type { ResticRepository } from "../../src/repository/restic/restic-repository.ts";
import { LocalStorage } from "../../src/storages/local/storage.ts";
import { systemClock } from "../../src/util/clock/clock.ts";
import { pieces, restore } from "./world.ts";

type Json = Record<string, unknown>;

const golden = join(import.meta.dirname, "../golden/0.1.0/repository");
let folder: string;
let repository: ResticRepository;

beforeEach(async () => {
  folder = await makeFolder();
  await cp(golden, join(folder, "repository"), { recursive: true });
  repository = await openRepository({
    storage: new LocalStorage(join(folder, "repository")),
    password: goldenPassword,
    clock: systemClock,
    program: "memkeep 9.0.0",
    retryLockMs: 0,
    signal: new AbortController().signal,
  });
});
afterEach(async () => {
  await repository.close();
  await removeFolder(folder);
});

function memkeep(...args: readonly string[]): Promise<Ended> {
  return runMemkeep([...args, "-r", "./repository"], {
    cwd: folder,
    env: { MEMKEEP_PASSWORD: goldenPassword },
  });
}

/** The newest snapshot once more, as a newer memkeep would have written it. */
async function rewritten(path: string, change: (json: Json) => void): Promise<void> {
  const [newest] = await repository.snapshots();
  const files = await restore(await repository.open(newest!.id));
  const manifest = jsonOf(files["manifest.json"]!);
  if (path === "manifest.json") change(manifest);
  else {
    const json = jsonOf(files[path]!);
    change(json);
    files[path] = bytesOf(json);
    const stores = manifest["stores"] as Record<string, { files: Json[] }>;
    for (const file of Object.values(stores).flatMap((store) => store.files)) {
      if (file["path"] !== path) continue;
      file["sizeBytes"] = files[path].length;
      file["sha256"] = hash("sha256", files[path]);
    }
  }
  files["manifest.json"] = bytesOf(manifest);
  const writer = await beginSnapshot([repository], { stack: "golden", run: "newer", tags: [] });
  for (const [name, bytes] of Object.entries(files)) await writer.save(name, "document", pieces(bytes));
  await writer.commit(systemClock.now(), ["memory", "vectors"]);
}

function jsonOf(bytes: Uint8Array): Json {
  return JSON.parse(Buffer.from(bytes).toString("utf8")) as Json;
}

function bytesOf(json: Json): Buffer {
  return Buffer.from(`${JSON.stringify(json, undefined, 2)}\n`);
}

/** Refused by what proves and by what restores; no proof is written that calls it damaged. */
async function expectRefused(words: RegExp, store: string): Promise<void> {
  const proofs = (await repository.proofs()).length;
  const verified = await memkeep("verify", "latest", "--level", "decoded");
  expect(verified).toMatchObject({ code: 2, stderr: expect.stringMatching(words) });
  expect(verified.stderr).toMatch(/Use a newer memkeep/);
  expect(await repository.proofs()).toHaveLength(proofs);
  const restored = await memkeep("restore", "latest:golden", "-s", store, "--apply");
  expect(restored).toMatchObject({ code: 2, stderr: expect.stringMatching(words) });
  // Without understanding them, the files can still be had.
  expect(await memkeep("cat", "latest", "memory/memory.db")).toMatchObject({ code: 0 });
}

test("a manifest of version 2", async () => {
  await rewritten("manifest.json", (json) => (json["version"] = 2));
  await expectRefused(/it has version 2, this memkeep reads up to 1/, "memory=./memory.db");
});

test("a dump of version 99", async () => {
  await rewritten("manifest.json", (json) => {
    (json["stores"] as Record<string, Json>)["memory"]!["dumpVersion"] = 99;
  });
  await expectRefused(/has version 99, this memkeep reads sqlite dumps up to 1/, "memory=./memory.db");
});

test("a layout of version 2 in a dump of JSON lines", async () => {
  await rewritten("vectors/schema.json", (json) => (json["version"] = 2));
  await expectRefused(
    /schema\.json.*it has version 2, this memkeep reads up to 1/,
    "vectors=qdrant://127.0.0.1:1",
  );
});

test("a repository of format 3", async () => {
  const config = jsonOf(repository.sealer.open(await readFile(join(folder, "repository/config"))));
  await rm(join(folder, "repository/config"));
  await repository.storage.write("config", [
    repository.sealer.seal(Buffer.from(JSON.stringify({ ...config, version: 3 }))),
  ]);
  for (const args of [["snapshots"], ["backup", "-s", "./none.db"], ["repository", "repair"]]) {
    expect(await memkeep(...args)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/it has format version 3.*\n?.*Use a newer memkeep/s),
    });
  }
});

test("a proof of version 2: neither none nor damaged, so nothing is forgotten or repaired away; restores work", async () => {
  const [newest] = await repository.snapshots();
  const proof = { version: 2, snapshot: newest!.id, level: "reborn" };
  const id = await repository.objects.save("memkeep/proofs", JSON.stringify(proof));
  for (const args of [["forget", "--keep-last", "1"], ["repository", "repair"], ["snapshots"]]) {
    expect(await memkeep(...args)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/it has version 2, this memkeep reads up to 1.*Use a newer memkeep/s),
    });
  }
  await expect(repository.forget([newest!.id])).rejects.toMatchObject({ code: "REPOSITORY_VERSION" });
  expect(await repository.snapshots()).toHaveLength(2);
  expect(await readFile(join(folder, "repository/memkeep/proofs", id))).toBeInstanceOf(Buffer);
  const restored = await memkeep("restore", "latest:golden", "-s", "memory=./memory.db", "--apply");
  expect(restored, restored.stderr).toMatchObject({ code: 0 });
});
