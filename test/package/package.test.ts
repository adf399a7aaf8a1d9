/** What a user gets: the packed files, installed into an empty project without anything for development. */
import { execFile } from "node:child_process";
import { lstat, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeMemory } from "../cli/run-memkeep.ts";

const root = resolve(import.meta.dirname, "..", "..");
const run = promisify(execFile);
const mostBytes = 80 * 1e6;

let project: string;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "memkeep-package-"));
  environment = {
    PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
    HOME: project,
    npm_config_cache: process.env["npm_config_cache"] ?? join(process.env["HOME"] ?? "/root", ".npm"),
    MEMKEEP_PASSWORD: "of the package",
  };
  const packed = await npm(root, "pack", "--json", "--pack-destination", project);
  const tarball = JSON.parse(packed.slice(packed.indexOf("["))) as { filename: string }[];
  await writeFile(join(project, "package.json"), '{ "name": "project", "private": true, "type": "module" }');
  await npm(project, "install", "--omit=dev", "--no-audit", "--no-fund", join(project, tarball[0]!.filename));
  makeMemory(join(project, "memory.db"), 100);
});
afterAll(() => rm(project, { recursive: true, force: true }));

async function npm(cwd: string, ...args: string[]): Promise<string> {
  const { stdout } = await run("npm", args, { cwd, env: { ...process.env, ...environment } });
  return stdout;
}

function node(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run(process.execPath, args, { cwd: project, env: environment });
}

async function sizeOf(path: string): Promise<number> {
  const found = await lstat(path);
  if (!found.isDirectory()) return found.size;
  const inner = await Promise.all((await readdir(path)).map((name) => sizeOf(join(path, name))));
  return inner.reduce((sum, size) => sum + size, 0);
}

describe("the package", () => {
  it("runs as npx does, without anything for development", async () => {
    const memkeep = (...args: string[]): Promise<string> =>
      npm(project, "exec", "--no", "--", "memkeep", ...args);
    expect(await memkeep("--version")).toMatch(/^memkeep \d+\.\d+\.\d+\n$/);
    await memkeep("init", "-r", "./backups");
    await memkeep("backup", "-r", "./backups", "-s", "./memory.db");
    expect(await memkeep("verify", "-r", "./backups", "-s", "./memory.db", "--level", "restored")).toContain(
      "Proven",
    );
  });

  it("the documented example runs, with the types that it says", async () => {
    const page = await readFile(join(root, "docs", "embedding.md"), "utf8");
    await writeFile(join(project, "example.js"), /```js\n(.*?)```/s.exec(page)![1]!);
    const { stdout, stderr } = await node("example.js");
    expect(stdout).toMatch(/^done 100\ntrue\nrestored; what was there is in [0-9a-f]{64}\n$/);
    expect(stderr).toBe("");
  });

  it("has the files that its manifest promises", async () => {
    const { messages } = await publint({
      pkgDir: join(project, "node_modules", "memkeep"),
      strict: true,
      pack: false,
    });
    expect(messages).toEqual([]);
  });

  it("takes no more room than the README says, and below 80 MB", async () => {
    const bytes = await sizeOf(join(project, "node_modules"));
    const told = /installed (\d+) MB/.exec(await readFile(join(root, "README.md"), "utf8"));
    expect(bytes).toBeLessThan(mostBytes);
    expect(Math.ceil(bytes / 1e6), "the README's figure").toBeLessThanOrEqual(Number(told?.[1]));
  });
});
