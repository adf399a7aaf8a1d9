/** What flags and variables put in the place of a configuration file: stores and repositories by URL. */
import { basename, extname } from "node:path";
import { MemkeepError } from "../domain/errors.ts";
import { nameForm, nameFrom, namePattern } from "../domain/name.ts";
import { nearestName } from "../domain/nearest.ts";
import { parseSize, sizeForm } from "../domain/size.ts";
import { storeKinds } from "../stores/index.ts";
import { describeOrigin, type Origin } from "./origin.ts";

export interface UrlStore {
  readonly name: string;
  readonly kind: string;
  readonly url: string;
  /** It has no scheme: `url` is a path. */
  readonly bare: boolean;
  readonly origin: Origin;
}

/** What was given for `--store`: names of the file's stores, and stores by URL. */
export interface StoreChoice {
  readonly names: readonly string[];
  readonly urls: readonly UrlStore[];
}

const schemeOf = /^[a-z][a-z0-9+.-]+:/i;

/**
 * Tells names from URLs and paths. A name of the file is a name; whatever has a `/`, `:`, `=` or a dot is a path or URL, if
 * wanted with a name before it (`memory=./a.db`); any other word is a name.
 */
export function readStores(given: readonly string[], origin: Origin, known: readonly string[]): StoreChoice {
  const names: string[] = [];
  const urls: UrlStore[] = [];
  for (const text of given) {
    if (known.includes(text) || (namePattern.test(text) && !text.includes("."))) names.push(text);
    else urls.push(readStoreUrl(text, origin));
  }
  const twice = urls.find((store, index) => urls.findIndex(({ name }) => name === store.name) !== index);
  if (twice) {
    throw new MemkeepError("USAGE", {
      tried: "understand --store",
      happened: `two stores would have the name ${twice.name}`,
      next: "Give each a name: --store first=./a/memory.db --store second=./b/memory.db",
    });
  }
  return { names, urls };
}

/** `[NAME=]URL`. Without a name it is the last part of the path without its ending: `./data/memory.db` is `memory`. */
function readStoreUrl(text: string, origin: Origin): UrlStore {
  const named = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})=(.+)$/s.exec(text);
  const url = named?.[2] ?? text;
  const bare = !schemeOf.test(url);
  const scheme = bare ? "sqlite:" : schemeOf.exec(url)![0].toLowerCase();
  const kind = Object.values(storeKinds).find(({ schemes }) => schemes.includes(scheme));
  if (!kind) {
    const known = Object.values(storeKinds).flatMap(({ schemes }) => schemes);
    const nearest = nearestName(scheme, known);
    throw new MemkeepError("USAGE", {
      tried: "understand --store",
      happened: `there is no kind of store for ${scheme} (known: a path of a SQLite file, ${known.join(", ")})`,
      next:
        nearest === undefined
          ? "Where it is a file's name, write ./ in front of it."
          : `Did you mean ${nearest}?`,
    });
  }
  return { name: named?.[1] ?? nameOfUrl(url) ?? kind.kind, kind: kind.kind, url, bare, origin };
}

/** The last part of a path or URL, without its ending, as a name. */
export function nameOfUrl(url: string): string | undefined {
  const path = url
    .replace(/[?#].*$/s, "")
    .replace(schemeOf, "")
    .replace(/[/\\]+$/, "");
  const last = basename(path.replace(/^\/\/[^/]*$/, ""));
  return nameFrom(basename(last, extname(last)));
}

/** `--repository`: the name of one in the file, or a path or URL. */
export function isRepositoryName(text: string, known: readonly string[]): boolean {
  if (known.includes(text)) return true;
  const nearest = namePattern.test(text) ? nearestName(text, known) : undefined;
  if (nearest === undefined) return false;
  throw new MemkeepError("USAGE", {
    tried: `find the repository ${text}`,
    happened: `the configuration has ${known.join(", ")}`,
    next: `Did you mean ${nearest}? For a folder of that name write ./${text}.`,
  });
}

/** `USAGE` when a name given by a flag is none. */
export function checkName(text: string, what: string): string {
  if (namePattern.test(text)) return text;
  throw new MemkeepError("USAGE", {
    tried: `understand ${what}`,
    happened: `${JSON.stringify(text.slice(0, 80))} is no name`,
    next: `Write ${nameForm}.`,
  });
}

/** `USAGE` when a size given by a flag or a variable is none. */
export function checkSize(text: string, origin: Origin): number {
  const sizeBytes = parseSize(text);
  if (sizeBytes !== undefined) return sizeBytes;
  throw new MemkeepError("USAGE", {
    tried: `understand ${describeOrigin(origin)}`,
    happened: `${JSON.stringify(text.slice(0, 80))} is no size`,
    next: `Write ${sizeForm}.`,
  });
}
