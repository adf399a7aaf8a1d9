import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { configJsonSchema } from "../../src/config/json-schema.ts";
import { LanguageServer, type Position } from "./language-server.ts";

let folder: string;
let server: LanguageServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "memkeep-editor-"));
  await writeFile(join(folder, "memkeep.schema.json"), JSON.stringify(await configJsonSchema()));
  server = new LanguageServer();
  await server.start();
});
afterAll(async () => {
  server[Symbol.dispose]();
  await rm(folder, { recursive: true, force: true });
});

const file = `# yaml-language-server: $schema=./memkeep.schema.json
version: 1
stack: automem
stores:
  vectors:
    type: qdrant
    url: http://localhost:6333
    
repositories:
  local: { storage: ./backups }
`;

async function opened(name: string, text: string): Promise<{ uri: string; wrong: readonly string[] }> {
  const uri = pathToFileURL(join(folder, name)).href;
  await writeFile(join(folder, name), text);
  const found = await server.open(uri, text);
  return { uri, wrong: found.map(({ message }) => message) };
}

function at(uri: string, position: Position): object {
  return { textDocument: { uri }, position };
}

it("an editor completes the keys of the store's kind and says what one means", async () => {
  const { uri, wrong } = await opened("memkeep.yaml", file);
  expect(wrong).toEqual([]);
  const completion = (await server.ask("textDocument/completion", at(uri, { line: 7, character: 4 }))) as {
    items: { label: string }[];
  };
  const labels = completion.items.map(({ label }) => label);
  expect(labels).toEqual(expect.arrayContaining(["apiKey", "collections", "timeout"]));
  const hover = (await server.ask("textDocument/hover", at(uri, { line: 6, character: 6 }))) as {
    contents: { value: string };
  };
  expect(hover.contents.value).toContain("Where the REST interface is");
});

it("an editor underlines a key that is not there, and a duration without a unit", async () => {
  const unknown = await opened("unknown.yaml", file.replace("url:", "adress:"));
  expect(unknown.wrong.join()).toMatch(/adress is not allowed/);
  const unit = await opened("unit.yaml", file.replace("    \n", "    timeout: 30\n"));
  expect(unit.wrong.join()).toMatch(/Incorrect type/);
});
