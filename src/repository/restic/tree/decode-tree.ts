/**
 * Reads a tree blob. Content lists are cut out of the bytes before `JSON.parse` sees them: half a million ids would
 * otherwise become half a million strings. Everything else is parsed leniently, since other writers add fields.
 */
import { z } from "zod";
import { MemkeepError } from "../../../domain/errors.ts";
import { ContentList, type Node } from "./node.ts";

const RawNode = z.object({
  name: z.string(),
  type: z.string(),
  size: z.number().optional(),
  content: z.union([z.array(z.string()), z.object({ list: z.number() })]).nullish(),
  subtree: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullish(),
});
const RawTree = z.object({ nodes: z.array(RawNode).nullable() });

const quote = 0x22;
const backslash = 0x5c;
const key = Buffer.from('"content":[');

/** `REPOSITORY_DAMAGED` for anything that is no tree. */
export function decodeTree(bytes: Buffer): Node[] {
  const lists: ContentList[] = [];
  let raw: z.infer<typeof RawTree>;
  try {
    raw = RawTree.parse(JSON.parse(withoutContent(bytes, lists)));
  } catch (cause) {
    throw damaged("it is not what a tree looks like", cause);
  }
  return (raw.nodes ?? []).map((node) => {
    const name = unquoteName(node.name);
    if (node.type === "dir") {
      if (!node.subtree) throw damaged(`folder ${JSON.stringify(name)} has no subtree`);
      return { type: "dir", name, subtree: node.subtree };
    }
    if (node.type !== "file") return { type: "other", name, kind: node.type };
    return { type: "file", name, sizeBytes: node.size ?? 0, content: contentOf(node.content, lists) };
  });
}

function contentOf(content: z.infer<typeof RawNode>["content"], lists: readonly ContentList[]): ContentList {
  if (!content) throw damaged("a file has no content list");
  if (!Array.isArray(content)) return lists[content.list]!;
  return new ContentList(decodeIds(content.join("")));
}

/** The tree's JSON, with each compact content list replaced by a reference into `lists`. */
function withoutContent(bytes: Buffer, lists: ContentList[]): string {
  let json = "";
  let from = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (inString) {
      if (byte === backslash) at++;
      else if (byte === quote) inString = false;
      continue;
    }
    if (byte !== quote) continue;
    if (bytes[at + key.length] === quote && bytes.compare(key, 0, key.length, at, at + key.length) === 0) {
      const end = bytes.indexOf("]", at);
      if (end < 0) throw damaged("a content list does not end");
      json += `${bytes.toString("utf8", from, at)}"content":{"list":${lists.length}}`;
      lists.push(decodeList(bytes, at + key.length, end));
      from = end + 1;
      at = end;
    } else {
      inString = true;
    }
  }
  return json + bytes.toString("utf8", from);
}

/** `"id","id",…` between two places, 67 bytes an id without white space. */
function decodeList(bytes: Buffer, from: number, to: number): ContentList {
  const count = (to - from + 1) / 67;
  if (!Number.isInteger(count))
    return new ContentList(decodeIds(bytes.toString("latin1", from, to).replace(/[",\s]/g, "")));
  const ids = Buffer.allocUnsafeSlow(count * 32);
  for (let index = 0; index < count; index++) {
    const at = from + index * 67 + 1;
    if (ids.write(bytes.toString("latin1", at, at + 64), index * 32, "hex") !== 32)
      throw damaged("a content list holds no id");
  }
  return new ContentList(ids);
}

function decodeIds(hex: string): Buffer {
  const ids = Buffer.from(hex, "hex");
  if (ids.length * 2 !== hex.length || ids.length % 32 !== 0) throw damaged("a content list holds no id");
  return ids;
}

/** restic writes names through Go's `strconv.Quote`; only `\"`, `\\` and the escapes it uses for control bytes differ. */
function unquoteName(name: string): string {
  return name.replace(/\\(["\\abfnrtv])/g, (_all, escape: string) => goEscapes[escape] ?? escape);
}

const goEscapes: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

function damaged(happened: string, cause?: unknown): MemkeepError {
  return new MemkeepError("REPOSITORY_DAMAGED", { tried: "read a folder of a snapshot", happened, cause });
}
