/** `memkeep demo`: the main job on a memory that it makes, told step by step, with the very commands that one would type. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExitCode, MemkeepError } from "../../domain/errors.ts";
import type { CommandModule } from "../command.ts";
import { switchOption } from "../command.ts";
import type { Context } from "../context.ts";
import { addMemories, createMemory, fingerprint, quickCheck, recallMemories } from "../demo/agent-memory.ts";
import { countText, durationText, sizeText } from "../../domain/words.ts";

const memories = 20_000;

export const command: CommandModule = {
  examples: [
    { command: "memkeep demo", text: "under a minute; leaves nothing behind" },
    { command: "memkeep demo --keep", text: "leave the files, to try things on them" },
  ],
  exits: [],
  declare(command) {
    command.option("--keep", "leave the memory and the repository where they are, and say where");
  },
  async run(context, _args, options) {
    const startedMs = context.clock.monotonicMs();
    const folder = await mkdtemp(join(tmpdir(), "memkeep-demo-"));
    const password = randomBytes(9).toString("base64url");
    const keep = switchOption(options, "keep");
    try {
      await tell(context, folder, password);
      const seconds = durationText(context.clock.monotonicMs() - startedMs);
      context.stdout.write(`\nDone in ${seconds}. With your own file:\n`);
      context.stdout.write("  memkeep init   --repository ./backups\n");
      context.stdout.write("  memkeep backup --repository ./backups --store ./memory.db\n");
      if (keep) context.stdout.write(`Everything is in ${folder}; the password is ${password}\n`);
    } finally {
      if (!keep) await rm(folder, { recursive: true, force: true });
    }
    return ExitCode.done;
  },
};

async function tell(context: Context, folder: string, password: string): Promise<void> {
  const path = join(folder, "memory.db");
  const run = (...args: string[]): Promise<void> => runMemkeep(context, folder, password, args);
  const say = (text: string): void => context.stdout.write(`\n${text}\n`);

  const db = createMemory(path, memories);
  try {
    say(
      `1. An agent has ${countText(memories)} memories with embeddings in one SQLite file. It is running, so ${await walSize(path)} of them are still in the -wal file beside it, where a plain copy would lose them.`,
    );
    await run("init", "--repository", "backups");
    await run("backup", "--repository", "backups", "--store", "memory.db");

    const recalled = recallMemories(db, memories);
    addMemories(db, memories, memories + 200);
    say(
      `2. A day later: ${recalled} memories, scattered over the file, have another score, 200 are new. The second backup stores only what changed.`,
    );
    await run("backup", "--repository", "backups", "--store", "memory.db");
  } finally {
    db.close();
  }
  const before = fingerprint(path);

  say("3. Is it any good? A drill: restored into a scratch place, read back, every record compared.");
  await run("verify", "latest", "--level", "restored", "--repository", "backups", "--store", "memory.db");

  await damage(path);
  say(`4. A disk fails: 64 KiB in the middle of memory.db are zeros now. SQLite says: ${quickCheck(path)}`);

  say(
    "5. Back to the newest snapshot. What is there now, damaged as it is, goes into a safety snapshot first.",
  );
  await run("restore", "latest", "--repository", "backups", "--store", "memory.db", "--apply");

  const after = fingerprint(path);
  if (after.sha256 !== before.sha256) {
    throw new MemkeepError("COMPARE_FAILED", {
      tried: "bring the demo's memory back",
      happened: `it has ${after.count} memories with another content than before`,
      next: "This should not happen: please report it.",
    });
  }
  say(
    `6. Read with nothing but SQLite: ${countText(after.count)} memories, the same to the last bit as before the disk failed (SHA-256 ${after.sha256.slice(0, 16)}…).`,
  );
  await run("snapshots", "--repository", "backups");
  say(
    "7. The repository is in restic's format: stock `restic -r backups check --read-data` and `restic restore latest --path /memory` work on it without memkeep.",
  );
}

async function damage(path: string): Promise<void> {
  await using file = await open(path, "r+");
  const { size } = await file.stat();
  const middle = Math.floor(size / 2 / 4096) * 4096;
  await file.write(Buffer.alloc(64 * 1024), 0, 64 * 1024, middle);
}

async function walSize(path: string): Promise<string> {
  return sizeText((await stat(`${path}-wal`)).size);
}

/** Shows the command as one types it, and runs this very program with it. */
async function runMemkeep(context: Context, folder: string, password: string, args: string[]): Promise<void> {
  context.stdout.write(`\n$ memkeep ${args.join(" ")}\n`);
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
    cwd: folder,
    env: { ...context.environment, MEMKEEP_PASSWORD: password, MEMKEEP_CONFIG: "" },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code === 0) return;
  throw new MemkeepError("TOOL_FAILED", {
    tried: `run memkeep ${args[0] ?? ""} for the demo`,
    happened: `it ended with ${code ?? "a signal"}`,
    next: "Its own words are above.",
  });
}
