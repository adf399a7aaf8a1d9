import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { program } from "../../../../test/engines/require.ts";
import { buildKeyFile, openKeyFile } from "./key-file.ts";
import { encodeMasterKey, generateMasterKey } from "./master-key.ts";
import { createSealer } from "./seal.ts";

const restic = await program("restic-0.18.0");
const run = promisify(execFile);

describe.skipIf(restic.missing)("stock restic", () => {
  test("opens our key file and sealed config, and we open a key file that it adds", async () => {
    const folder = await mkdtemp(join(tmpdir(), "memkeep-key-"));
    try {
      const repository = join(folder, "repository");
      await mkdir(join(repository, "keys"), { recursive: true });
      const key = generateMasterKey();
      const label = { created: "2026-11-21T03:00:00Z", username: "memkeep", hostname: "host" };
      const ours = await buildKeyFile(key, "first pässword", label);
      const config = JSON.stringify({
        version: 2,
        id: "ab".repeat(32),
        chunker_polynomial: "3da3358b4dc173",
      });
      await writeFile(join(repository, "keys", ours.name), ours.bytes);
      await writeFile(join(repository, "config"), createSealer(key).seal(Buffer.from(config)));
      await writeFile(join(folder, "second"), "second password");

      const env = { ...process.env, RESTIC_PASSWORD: "first pässword" };
      const options = ["--repo", repository, "--no-cache"];
      const shown = await run(restic.path, [...options, "--no-lock", "cat", "config"], { env });
      expect(JSON.parse(shown.stdout)).toEqual(JSON.parse(config));

      await run(restic.path, [...options, "key", "add", "--new-password-file", join(folder, "second")], {
        env,
      });
      const names = await readdir(join(repository, "keys"));
      const theirs = await readFile(
        join(
          repository,
          "keys",
          names.find((name) => name !== ours.name)!,
        ),
      );
      const opened = await openKeyFile(theirs, "second password");
      expect(encodeMasterKey(opened).equals(encodeMasterKey(key))).toBe(true);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
