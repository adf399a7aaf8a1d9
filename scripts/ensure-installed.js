// Installs what package-lock.json names when that was not done yet, so that `npm run demo` is the first command that
// anybody needs. Plain JavaScript without dependencies: it runs on whatever Node the machine has.
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

// npm writes its own list into node_modules when it has finished.
if (changedMs("node_modules/.package-lock.json") < changedMs("package-lock.json")) {
  process.stderr.write("Installing what memkeep needs (npm ci), once; this takes about half a minute.\n");
  const npm = process.env.npm_execpath;
  const result = npm
    ? spawnSync(process.execPath, [npm, "ci", "--no-fund", "--no-audit"], { cwd: root, stdio: "inherit" })
    : spawnSync("npm", ["ci", "--no-fund", "--no-audit"], { cwd: root, stdio: "inherit" });
  if (result.status !== 0) {
    process.stderr.write("npm ci failed; see above. Nothing else was done.\n");
    process.exit(result.status === null ? 1 : result.status);
  }
}

function changedMs(path) {
  try {
    return statSync(join(root, path)).mtimeMs;
  } catch {
    return 0;
  }
}
