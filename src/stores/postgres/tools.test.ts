import { mkdir, mkdtempDisposable, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { findTools } from "./tools.ts";

it("a folder of programs that has several names is found, and asked for its version, once", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "memkeep-tools-"));
  const real = join(folder.path, "real");
  const also = join(folder.path, "also");
  const asked = join(folder.path, "asked");
  await mkdir(real);
  await symlink(real, also);
  const script = `#!/bin/sh\necho x >> '${asked}'\necho 'pg_dump (PostgreSQL) 99.1'\n`;
  for (const name of ["pg_dump", "pg_restore"]) await writeFile(join(real, name), script, { mode: 0o700 });
  const found = await findTools([also, real], { PATH: `${real}:${also}:${join(folder.path, "missing")}` });
  expect(found.filter(({ major }) => major === 99)).toMatchObject([{ version: "99.1" }]);
  expect(await readFile(asked, "utf8")).toBe("x\n");
});
