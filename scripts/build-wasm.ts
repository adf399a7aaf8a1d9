/**
 * `npm run build:wasm`: compiles the AssemblyScript sources and writes each module, as base64 in a TypeScript
 * file, beside the code that uses it. The result is committed, so that neither users nor `npm install` need the
 * compiler; a test compiles again and compares.
 */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { main as compile } from "assemblyscript/asc";

const cryptoFolder = new URL("../src/repository/restic/crypto/", import.meta.url);
export const poly1305File: URL = new URL("poly1305.wasm.ts", cryptoFolder);

/** The text of `poly1305.wasm.ts`. The same source and compiler version give the same bytes. */
export async function poly1305ModuleText(): Promise<string> {
  const source = await readFile(new URL("assembly/poly1305.ts", cryptoFolder), "utf8");
  // 4 pages of 64 KiB: one of tables, one and a half for each work area. The memory never grows.
  const options = "-O3 --runtime stub --noAssert --enable simd --initialMemory 4 --maximumMemory 4".split(
    " ",
  );
  let wasm: Uint8Array | undefined;
  const { error } = await compile(["poly1305.ts", ...options, "--outFile", "poly1305.wasm"], {
    readFile: (name) => (name === "poly1305.ts" ? source : null),
    writeFile: (_name, contents) => {
      wasm = typeof contents === "string" ? Buffer.from(contents) : contents;
    },
    listFiles: () => [],
  });
  if (error !== null || wasm === undefined) throw new Error("asc failed", { cause: error });
  return [
    "// Made by `npm run build:wasm` from assembly/poly1305.ts. Do not edit.",
    "",
    `/** The compiled module (${wasm.length} bytes), base64. */`,
    `export const poly1305Wasm: string =\n  "${Buffer.from(wasm).toString("base64")}";`,
    "",
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(poly1305File, await poly1305ModuleText());
}
