/** The repository of every release is read by this version: listed, checked, decoded, restored. */
import { readdirSync, readFileSync } from "node:fs";
import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Ended, makeFolder, removeFolder, runMemkeep } from "../cli/run-memkeep.ts";
import { engine, program } from "../engines/require.ts";
import { stock } from "../repository/stock.ts";
import { goldenPassword, pointsIn, rowsOf, sha256 } from "./contents.ts";

const qdrant = await engine("qdrant");
const restic = await program("restic-0.18.0");
const versions = readdirSync(import.meta.dirname).filter((name) => /^\d+\.\d+\.\d+$/.test(name));

interface Expected {
  readonly snapshots: readonly { readonly id: string; readonly time: string }[];
  readonly collections: Readonly<Record<string, unknown>>;
  readonly rows: string;
  readonly points: string;
}

test("the first release has a golden repository", () => {
  expect(versions).toContain("0.1.0");
});

describe.each(versions)("the repository of %s", (version) => {
  const golden = join(import.meta.dirname, version);
  const expected = JSON.parse(readFileSync(join(golden, "expected.json"), "utf8")) as Expected;
  let folder: string;
  beforeEach(async () => {
    folder = await makeFolder();
    // A copy: whoever reads a repository may leave a lock.
    await cp(join(golden, "repository"), join(folder, "repository"), { recursive: true });
  });
  afterEach(() => removeFolder(folder));

  function memkeep(...args: readonly string[]): Promise<Ended> {
    return runMemkeep([...args, "-r", "./repository"], {
      cwd: folder,
      env: { MEMKEEP_PASSWORD: goldenPassword },
    });
  }

  test("is listed with its proof, whole in every byte, and each snapshot decodes to what it was", async () => {
    const [list] = JSON.parse((await memkeep("snapshots", "--json")).stdout) as { snapshots: unknown[] }[];
    expect(list!.snapshots).toMatchObject(
      expected.snapshots.map(({ id, time }, number) => ({
        id,
        time,
        stack: "golden",
        stores: ["memory", "vectors"],
        proof: number === 0 ? { level: "decoded", ok: true } : null,
      })),
    );
    expect(JSON.parse((await memkeep("cat", "latest", "manifest.json")).stdout)).toMatchObject({
      stores: Object.fromEntries(
        Object.entries(expected.collections).map(([name, collections]) => [name, { collections }]),
      ),
    });
    expect(await memkeep("repository", "check", "--data")).toMatchObject({ code: 0 });
    for (const { id } of expected.snapshots) {
      const verified = await memkeep("verify", id, "--level", "decoded");
      expect(verified, verified.stdout + verified.stderr).toMatchObject({ code: 0 });
    }
    if (restic.missing) return;
    const { code, stdout, stderr } = await stock(
      restic.path,
      join(folder, "repository"),
      ["check", "--read-data"],
      goldenPassword,
    );
    expect(code, stdout + stderr).toBe(0);
  });

  test("SQLite comes back as it was", async () => {
    const restored = await memkeep("restore", "latest:golden", "-s", "memory=./memory.db", "--apply");
    expect(restored, restored.stderr).toMatchObject({ code: 0 });
    expect(sha256(rowsOf(join(folder, "memory.db")))).toBe(expected.rows);
  });

  test.skipIf(qdrant.missing)(
    "Qdrant comes back as it was, and a new backup joins the old ones",
    async () => {
      await using server = await qdrant.start();
      await writeFile(
        join(folder, "memkeep.yaml"),
        `version: 1\nstack: golden\nstores:\n  memory: { type: sqlite, path: ./memory.db }\n  vectors: { type: qdrant, url: "${server.url}" }\nrepositories:\n  repository: { storage: ./repository }\n`,
      );
      const restored = await memkeep("restore", "latest", "--apply");
      expect(restored, restored.stderr).toMatchObject({ code: 0 });
      expect(sha256(await pointsIn(server.url))).toBe(expected.points);
      const { code, stdout, stderr } = await memkeep("backup", "--json");
      expect(code, stderr).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        stores: Object.entries(expected.collections).map(([name, collections]) => ({ name, collections })),
      });
    },
  );
});
