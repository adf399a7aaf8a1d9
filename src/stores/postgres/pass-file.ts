/** The pass file (https://www.postgresql.org/docs/18/libpq-pgpass.html): `host:port:database:user:password`, `*` for any. */
import { statSync } from "node:fs";
import { invalid, textFile } from "./parameters.ts";

/** The password of the first line that fits; undefined when there is none. `CONFIG_INVALID` when others may read the file. */
export function passwordFromFile(
  path: string,
  place: { readonly host: string; readonly port: number },
  database: string,
  user: string,
): string | undefined {
  const text = textFile(path);
  if (text === undefined) return undefined;
  // libpq ignores such a file with a warning that nobody reads, and then "no password supplied" is all that is seen.
  if (process.platform !== "win32" && (statSync(path).mode & 0o077) !== 0) {
    throw invalid(`others may read the pass file ${path}; run \`chmod 600\` on it`);
  }
  const host = place.host.startsWith("/") ? "localhost" : place.host;
  const wanted = [host, String(place.port), database, user];
  for (const line of text.split(/\r?\n/)) {
    if (line === "" || line.startsWith("#")) continue;
    const fields = splitLine(line);
    const fits = wanted.every((value, number) => {
      const field = fields[number];
      return field === "*" || field === value || (number === 0 && field === place.host);
    });
    if (fits && fields[4] !== undefined) return fields[4];
  }
  return undefined;
}

/** `\` takes the meaning from a colon or a backslash. */
function splitLine(line: string): string[] {
  const fields = [""];
  for (let at = 0; at < line.length; at++) {
    let character = line[at]!;
    if (character === ":" && fields.length < 5) {
      fields.push("");
      continue;
    }
    if (character === "\\" && at + 1 < line.length) character = line[++at]!;
    fields[fields.length - 1] += character;
  }
  return fields;
}
