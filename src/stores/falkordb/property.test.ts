/** Law 1 with random graphs: a dump of the restored dump has the same bytes. `MEMKEEP_TEST_CASES` says how many; nightly 500. */
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../../test/engines/require.ts";
import { quoteName, writeNumber, writeString } from "./names.ts";
import { TestServer, awkwardValues } from "../../../test/falkordb/testing.ts";

const falkordb = await engine("falkordb");
const cases = Number(process.env["MEMKEEP_TEST_CASES"] ?? 50);

/** Any text that FalkorDB can hold: no NUL. Names can hold no backtick either. */
const text = fc
  .string({ unit: "binary", maxLength: 12 })
  .map((value) => value.replaceAll("\u0000", "").toWellFormed());
const name = text.map((value) => value.replaceAll("`", ""));

const scalar: fc.Arbitrary<string> = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  fc.double({ noNaN: true }).map((value) => `$d[${doubles.push(value) - 1}]`),
  text.map(writeString),
  fc.boolean().map(String),
  fc.constantFrom(...awkwardValues.map(([, expression]) => expression)),
  fc
    .array(fc.float({ noNaN: true, noDefaultInfinity: true }), { maxLength: 5 })
    .map((floats) => `vecf32([${floats.map(writeNumber).join()}])`),
  fc
    .tuple(fc.double({ min: -90, max: 90, noNaN: true }), fc.double({ min: -180, max: 180, noNaN: true }))
    .map(
      ([latitude, longitude]) =>
        `point({latitude:$d[${doubles.push(latitude) - 1}],longitude:$d[${doubles.push(longitude) - 1}]})`,
    ),
  fc
    .record({
      year: fc.integer({ min: -2000, max: 3000 }),
      month: fc.integer({ min: 1, max: 12 }),
      day: fc.integer({ min: 1, max: 28 }),
    })
    .map(({ year, month, day }) => `date({year:${year},month:${month},day:${day}})`),
  fc
    .integer({ min: -1_000_000, max: 1_000_000 })
    .map((days) => `duration({days:${days},seconds:${Math.abs(days) % 86_400}})`),
);
/** Subnormals have no literal, only a parameter: values go through `$d`. */
let doubles: number[] = [];

const value = fc.oneof(
  { weight: 4, arbitrary: scalar },
  {
    weight: 1,
    arbitrary: fc
      .array(
        fc.oneof(
          scalar,
          fc.array(scalar, { maxLength: 3 }).map((items) => `[${items.join()}]`),
        ),
        { maxLength: 4 },
      )
      .map((items) => `[${items.join()}]`),
  },
);
const properties = fc
  .uniqueArray(fc.tuple(fc.oneof(fc.constantFrom("id", "a", "b", "embedding"), name), value), {
    maxLength: 4,
    selector: ([property]) => property,
  })
  .map(
    (members) =>
      `{${members.map(([property, expression]) => `${quoteName(property)}:${expression}`).join()}}`,
  );
const labels = fc.uniqueArray(fc.oneof(fc.constantFrom("A", "B", "C"), name), { maxLength: 3 });
const anyGraph = fc.record({
  nodes: fc.array(fc.tuple(labels, properties), { maxLength: 25 }),
  edges: fc.array(
    fc.tuple(
      fc.nat(),
      fc.nat(),
      fc.oneof(fc.constantFrom("R", "S"), name),
      fc.oneof(fc.constant("{}"), properties),
    ),
    { maxLength: 25 },
  ),
});

describe.skipIf(falkordb.missing)("random graphs", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start(await falkordb.start());
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("law 1: dump, restore and dump give the same bytes", async () => {
    await fc.assert(
      fc.asyncProperty(anyGraph, async ({ nodes, edges }) => {
        const [graph, copy] = [server.newName(), server.newName()];
        const parameters = `CYPHER d=[${doubles.map(writeNumber).join()}] `;
        await server.query(graph, "CREATE (n) DELETE n");
        for (const [index, [names, members]] of nodes.entries()) {
          const pattern = names.map((label) => `:${quoteName(label)}`).join("");
          await server.query(graph, `${parameters}CREATE (n${pattern} ${members})`);
          // Leaves a hole in the ids here and there.
          if (index % 5 === 0) await server.query(graph, "CREATE (n:Hole)");
        }
        await server.query(graph, "MATCH (n:Hole) DELETE n");
        for (const [from, to, type, members] of nodes.length > 0 ? edges : []) {
          const [source, target] = [from % nodes.length, to % nodes.length];
          await server.query(
            graph,
            `${parameters}MATCH (a) WITH a ORDER BY id(a) WITH collect(a) AS all WITH all[${source}] AS a, all[${target}] AS b ` +
              `CREATE (a)-[e:${quoteName(type)} ${members}]->(b)`,
          );
        }
        const first = await server.dump(graph);
        await server.restore(first, copy);
        const second = await server.dump(copy);
        const [before, after] = [await first.dump.contents(), await second.dump.contents()];
        expect([...after.keys()]).toEqual([...before.keys()]);
        for (const [file, bytes] of before)
          expect(after.get(file)!.toString("latin1"), file).toBe(bytes.toString("latin1"));
        await server.session.command("UNLINK", graph, copy);
      }),
      { numRuns: cases },
    );
  });

  test("law 12: 10,000 names go through the one quoting function and come back, or are refused in words", async () => {
    const hostile = fc.oneof(
      name,
      fc
        .array(
          fc.constantFrom(
            "`",
            "'",
            '"',
            "\\",
            "{",
            "}",
            "$",
            ":",
            " ",
            "\n",
            "//",
            "/*",
            "n",
            "é",
            "\u{1f600}",
          ),
        )
        .map((parts) => parts.join("")),
      fc.string({ unit: "binary", maxLength: 40 }),
    );
    const graph = server.newName();
    await server.query(graph, "CREATE (n) DELETE n");
    const quotable: string[] = [];
    let refused = 0;
    for (const candidate of fc.sample(hostile, 10_000)) {
      if (candidate.includes("`") || candidate.includes("\0") || !candidate.isWellFormed()) {
        expect(() => quoteName(candidate)).toThrow(/no escape/);
        refused++;
      } else {
        quotable.push(candidate);
      }
    }
    expect(refused).toBeGreaterThan(500);
    for (let first = 0; first < quotable.length; first += 200) {
      const names = [...new Set(quotable.slice(first, first + 200))];
      const query = `RETURN ${names.map((each) => `{${quoteName(each)}:${writeString(each)}}`).join()}`;
      const reply = await server.session.rows(Buffer.from(graph), query, () => (reader) => reader.reply());
      const [row] = reply as unknown as [[bigint, [Buffer, [bigint, Buffer]]][]];
      expect(row.map(([, [key]]) => key.toString())).toEqual(names);
      expect(row.map(([, [, [, text]]]) => text.toString())).toEqual(names);
    }
  });
});
