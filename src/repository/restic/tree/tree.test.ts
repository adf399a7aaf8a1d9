import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeTree } from "./decode-tree.ts";
import { goJson, goTime } from "./go-json.ts";
import { ContentList, type DirectoryNode, encodeTree, type FileNode, type NodeStamp } from "./node.ts";

const stamp: NodeStamp = { timeMs: Date.UTC(2026, 10, 20, 1, 2, 3, 450), uid: 1000, gid: 100 };
const name = fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/).filter((text) => text !== "." && text !== "..");
const file = fc
  .record({
    name,
    sizeBytes: fc.nat(),
    ids: fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 9 }),
  })
  .map(({ name, sizeBytes, ids }): FileNode => ({
    type: "file",
    name,
    sizeBytes,
    content: new ContentList(Buffer.concat(ids)),
  }));
const folder = fc
  .record({ name, id: fc.uint8Array({ minLength: 32, maxLength: 32 }) })
  .map(({ name, id }): DirectoryNode => ({ type: "dir", name, subtree: Buffer.from(id).toString("hex") }));
const nodes = fc.uniqueArray(fc.oneof(file, folder), { selector: ({ name }) => name, maxLength: 12 });

const plain = (list: readonly unknown[]): unknown[] =>
  list.map((node) => comparable(node as FileNode | DirectoryNode));
function comparable(node: FileNode | DirectoryNode): unknown {
  return node.type === "file" ? { ...node, content: node.content.bytes.toString("hex") } : node;
}
function byName<N extends { name: string }>(list: readonly N[]): N[] {
  return [...list].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
}

describe("trees", () => {
  test("what is written is what is read, sorted by the bytes of the names", () => {
    fc.assert(
      fc.property(nodes, (list) => {
        const bytes = Buffer.concat([...encodeTree(list, stamp)]);
        expect(bytes.at(-1)).toBe(0x0a);
        expect(plain(decodeTree(bytes))).toEqual(plain(byName(list)));
      }),
    );
  });

  test("another spelling of the same JSON reads the same", () => {
    fc.assert(
      fc.property(nodes, fc.integer({ min: 1, max: 4 }), (list, indent) => {
        const spelled = JSON.stringify(
          JSON.parse(Buffer.concat([...encodeTree(list, stamp)]).toString()),
          undefined,
          indent,
        );
        expect(plain(decodeTree(Buffer.from(spelled)))).toEqual(plain(byName(list)));
      }),
    );
  });

  test("a file of many chunks is written in parts and read whole", () => {
    const ids = Buffer.alloc(32 * 10_000, 7);
    const node: FileNode = { type: "file", name: "big", sizeBytes: 1, content: new ContentList(ids) };
    const [read] = decodeTree(Buffer.concat([...encodeTree([node], stamp)]));
    expect((read as FileNode).content.bytes.equals(ids)).toBe(true);
  });

  test.each([
    "",
    "{}",
    '{"nodes":[{"name":"a","type":"file"}]}',
    '{"nodes":[{"name":"a","type":"dir"}]}',
    '{"nodes":[{"name":"a","type":"file","content":["zz"]}]}',
    '{"nodes":[{"name":"a","type":"file","content":["',
  ])("law 12: refuses %j", (json) => {
    expect(() => decodeTree(Buffer.from(json))).toThrow(
      expect.objectContaining({ code: "REPOSITORY_DAMAGED" }),
    );
  });

  test("law 9: text is escaped as Go escapes it, since stock restic compares what it re-encodes", () => {
    expect(goJson("<a> & b\u2028\u2029é")).toBe(String.raw`"\u003ca\u003e \u0026 b\u2028\u2029é"`);
  });

  test("times have no trailing zeros, as Go prints them", () => {
    expect(goTime(stamp.timeMs)).toBe("2026-11-20T01:02:03.45Z");
    expect(goTime(Date.UTC(2026, 0, 1))).toBe("2026-01-01T00:00:00Z");
  });
});
