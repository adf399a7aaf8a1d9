/** Names of tables and columns as text. A name is data: it goes into SQL only quoted (law 12). */

/** `"` around a name, always. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `"schema"."table"`: for SQL, and for the patterns of pg_dump's `--table`. */
export function quoteTable(schema: string, table: string): string {
  return `${quoteName(schema)}.${quoteName(table)}`;
}

/** A string literal that means the same whatever `standard_conforming_strings` says. */
export function quoteText(text: string): string {
  const quoted = `'${text.replaceAll("'", "''").replaceAll("\\", "\\\\")}'`;
  return text.includes("\\") ? ` E${quoted}` : quoted;
}

const plain = /^[a-z_][a-z0-9_$]*$/;

/** How a table is named in manifests and by people: `public.memories`, `"My schema"."T"`. Two tables never share a name. */
export function collectionName(schema: string, table: string): string {
  return [schema, table].map((name) => (plain.test(name) ? name : quoteName(name))).join(".");
}

/** The schema and table of a collection's name; a single name is a table in `public`. Undefined when it is not one. */
export function parseCollectionName(name: string): { schema: string; table: string } | undefined {
  const parts: string[] = [];
  const part = /(?:"((?:[^"]|"")+)"|([^".]+))(\.|$)/gsy;
  let separator = ".";
  while (separator === ".") {
    const match = part.exec(name);
    if (!match) return undefined;
    parts.push(match[1] === undefined ? match[2]! : match[1].replaceAll('""', '"'));
    separator = match[3]!;
  }
  const [first, second] = parts;
  if (first === undefined || parts.length > 2) return undefined;
  return second === undefined ? { schema: "public", table: first } : { schema: first, table: second };
}

/** The columns of pg_dump's `COPY schema.table (a, "b c") FROM stdin;`, in its order. Undefined when it is no such statement. */
export function copyColumns(statement: string): string[] | undefined {
  const name = String.raw`(?:"(?:[^"]|"")+"|[^\s".,()]+)`;
  const list = new RegExp(String.raw`^COPY ${name}(?:\.${name})?\s+(?:\((.*)\) )?FROM stdin;\s*$`, "s").exec(
    statement,
  );
  if (!list) return undefined;
  const columns: string[] = [];
  const column = new RegExp(`(${name})(?:, |$)`, "gsy");
  for (const text = list[1] ?? ""; column.lastIndex < text.length;) {
    const match = column.exec(text);
    if (!match) return undefined;
    const [, found = ""] = match;
    columns.push(found.startsWith('"') ? found.slice(1, -1).replaceAll('""', '"') : found);
  }
  return columns;
}
