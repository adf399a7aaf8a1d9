import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile, chmod, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { program } from "./engines/require.ts";

const root = resolve(import.meta.dirname, "..");
const run = promisify(execFile);

/** Run by a person or by the runner of these tests itself; the demo has a test of its own below. */
const notHere = new Set(["npm run demo", "npm cit", "npm link"]);

async function documents(): Promise<string[]> {
  const docs = (await readdir(join(root, "docs"))).filter((name) => name.endsWith(".md"));
  const top = (await readdir(root)).filter((name) => name.endsWith(".md"));
  return [...top, ...docs.map((name) => `docs/${name}`)];
}

/** As GitHub makes them of headings. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map((match) => match[1]!);
}

const restic = await program("restic-0.18.0");

describe.skipIf(restic.missing)("documents", async () => {
  let folder: string;
  let environment: NodeJS.ProcessEnv;

  /** `memkeep` and `restic` on the PATH, and nothing of this checkout but what a reader has. */
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "memkeep-docs-"));
    const bin = join(folder, "bin");
    await mkdir(bin);
    await writeFile(
      join(bin, "memkeep"),
      `#!/bin/sh\nexec ${process.execPath} ${root}/bin/memkeep.js "$@"\n`,
    );
    await chmod(join(bin, "memkeep"), 0o755);
    await symlink(restic.path, join(bin, "restic"));
    environment = {
      ...process.env,
      PATH: `${bin}:${dirname(process.execPath)}:${process.env["PATH"]}`,
      MEMKEEP_PASSWORD: "of the documents",
      RESTIC_PASSWORD: "of the documents",
      XDG_CACHE_HOME: join(folder, "cache"),
      NO_COLOR: "1",
    };
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** A folder with a memory in it, as the documents presuppose one. */
  async function place(): Promise<string> {
    const at = await mkdtemp(join(folder, "place-"));
    using db = new DatabaseSync(join(at, "memory.db"));
    db.exec(
      "CREATE TABLE memories (id TEXT PRIMARY KEY, content TEXT); INSERT INTO memories VALUES ('a', 'b')",
    );
    return at;
  }

  async function shell(script: string, cwd: string): Promise<string> {
    const { stdout } = await run("bash", ["-euo", "pipefail", "-c", script], { cwd, env: environment });
    return stdout;
  }

  it.each(await documents())("every command of %s works, one after another", async (document) => {
    const text = await readFile(join(root, document), "utf8");
    const commands = blocks(text, "sh").filter((block) => !notHere.has(block.trim()));
    if (commands.length === 0) return;
    const cwd = await place();
    const needsRepository = !commands.some((block) => block.includes("memkeep init"));
    if (needsRepository) {
      await shell("memkeep init -r ./backups && memkeep backup -r ./backups -s ./memory.db", cwd);
    }

    await shell(commands.join("\n"), cwd);
  });

  it("the configuration of README backs up, proves and skips", async () => {
    const cwd = await place();
    const configurations = blocks(await readFile(join(root, "README.md"), "utf8"), "yaml");
    // The one before it is of the AutoMem example, which has a test of its own.
    const yaml = configurations.find((text) => text.includes("type: sqlite"));
    await writeFile(join(cwd, "memkeep.yaml"), yaml!);

    await shell("memkeep config check && memkeep init", cwd);
    const first: unknown = JSON.parse(await shell("memkeep backup --json", cwd));
    const second: unknown = JSON.parse(await shell("memkeep backup --json", cwd));

    expect([first, second]).toMatchObject([{ outcome: "done" }, { outcome: "skipped" }]);
  });

  it("the demo tells its story to the end", async () => {
    const told = await shell("memkeep demo", await place());

    expect(told).toMatch(/20,200 memories, the same to the last bit/);
    expect(told).toMatch(/✓ restored/);
  });

  it("has no link to a file that is not there", async () => {
    const broken: string[] = [];
    for (const document of await documents()) {
      const text = await readFile(join(root, document), "utf8");
      for (const [, target = "", anchor] of text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)) {
        const path = target === "" ? resolve(root, document) : resolve(root, dirname(document), target);
        const there = await readFile(path, "utf8").catch(() => undefined);
        const headings = [...(there ?? "").matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!));
        if (there === undefined || (anchor !== undefined && !headings.includes(anchor)))
          broken.push(`${document}: ${target}${anchor === undefined ? "" : `#${anchor}`}`);
      }
    }

    expect(broken).toEqual([]);
  });
});
