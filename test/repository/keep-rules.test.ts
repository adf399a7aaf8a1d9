/** memkeep's retention rules and stock restic's `forget --dry-run`, on the same histories. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyKeepRules, formatSpan, type KeepRules, type KeepSpan } from "../../src/domain/keep/index.ts";
import { program } from "../engines/require.ts";
import { stock } from "./stock.ts";
import { backup, makeWorld } from "./world.ts";

const histories = Number(process.env["MEMKEEP_KEEP_HISTORIES"] ?? 25);
/** Rules tried on each history: a history costs writing its snapshots, a rule one run of restic. */
const rulesPerHistory = 3;

const restic = await program("restic-0.18.0");

interface Moment {
  readonly time: string;
  readonly tags: readonly string[];
}

const hourMs = 3_600_000;

/** Around the turn of a year, with days of several snapshots, weeks without any, equal times, and a few in the future. */
const moments = (nowMs: number): fc.Arbitrary<Moment[]> => {
  const age = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 72 * hourMs }) },
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 400 * 24 * hourMs }) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 4000 * 24 * hourMs }) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 400 }).map((days) => days * 24 * hourMs) },
    { weight: 1, arbitrary: fc.integer({ min: -900 * 24 * hourMs, max: -hourMs }) },
  );
  const zone = fc.constantFrom("Z", "+02:00", "-08:00", "+05:30", "+13:45", "-00:30");
  const nanos = fc.constantFrom("", ".5", ".000000001", ".123456789");
  const moment = fc
    .record({ age, zone, nanos, tags: fc.subarray(["keep", "blue"]) })
    .map((parts) => ({ time: zoned(nowMs - parts.age, parts.zone, parts.nanos), tags: parts.tags }));
  return fc
    .uniqueArray(fc.record({ moment, twice: fc.integer({ min: 0, max: 9 }) }), {
      minLength: 1,
      maxLength: 30,
      // Equal instants in two zones: which of them comes first restic does not say.
      selector: ({ moment }) => Date.parse(moment.time),
    })
    .map((list) => list.flatMap(({ moment, twice }) => (twice === 0 ? [moment, moment] : [moment])));
};

function zoned(ms: number, zone: string, nanos: string): string {
  const sign = zone.startsWith("-") ? -1 : 1;
  const away = zone === "Z" ? 0 : sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6)));
  const wall = new Date(Math.floor(ms / 1000) * 1000 + away * 60_000).toISOString().slice(0, 19);
  return `${wall}${nanos}${zone}`;
}

const count = fc.option(fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constant(-1)), {
  nil: undefined,
  freq: 2,
});
const span: fc.Arbitrary<KeepSpan | undefined> = fc.option(
  fc
    .record({
      years: fc.integer({ min: 0, max: 2 }),
      months: fc.integer({ min: 0, max: 14 }),
      days: fc.integer({ min: 0, max: 40 }),
      hours: fc.integer({ min: 0, max: 50 }),
    })
    .filter((value) => formatSpan(value) !== ""),
  { nil: undefined, freq: 1 },
);
const tags = fc.option(fc.subarray([["keep"], ["blue", "keep"]], { minLength: 1 }), {
  nil: undefined,
  freq: 1,
});
const rule: fc.Arbitrary<KeepRules> = fc
  .record({
    last: count,
    hourly: count,
    daily: count,
    weekly: count,
    monthly: count,
    yearly: count,
    within: span,
    withinHourly: span,
    withinDaily: span,
    withinWeekly: span,
    withinMonthly: span,
    withinYearly: span,
    tags,
  })
  .map((rules) => Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined)))
  .filter((rules) => Object.keys(rules).length > 0);

function flags(rules: KeepRules): string[] {
  return Object.entries(rules).flatMap(([name, value]: [string, number | KeepSpan | string[][]]) => {
    const flag = `--keep-${name === "tags" ? "tag" : name.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)}`;
    if (Array.isArray(value)) return value.flatMap((list) => [flag, list.join(",")]);
    return [flag, typeof value === "number" ? (value < 0 ? "unlimited" : String(value)) : formatSpan(value)];
  });
}

interface StockGroup {
  readonly reasons: readonly { readonly snapshot: Moment; readonly matches: readonly string[] }[] | null;
  readonly remove: readonly Moment[] | null;
}

/** One line a snapshot, so that a difference can be read; restic does not say how it orders equal times. */
function lines(keep: readonly (readonly [Moment, readonly string[]])[], remove: readonly Moment[]): string[] {
  return [
    ...keep.map(([{ time }, reasons]) => `${time}: ${reasons.join(", ")}`),
    ...remove.map(({ time }) => `${time}: removed`),
  ].sort();
}

describe.skipIf(restic.missing)("keep rules", () => {
  test("random histories and rules give what stock restic's forget gives, reason for reason", async () => {
    await using world = await makeWorld();
    const repository = world.process();
    const { id } = await backup(repository, { "a.jsonl": Buffer.from("{}\n") });
    const template = JSON.parse((await repository.objects.load("snapshots", id)).toString()) as object;
    const nowMs = Date.now();
    await fc.assert(
      fc.asyncProperty(
        moments(nowMs),
        fc.array(rule, { minLength: rulesPerHistory, maxLength: rulesPerHistory }),
        async (history, ruleSets) => {
          await rm(join(world.path, "snapshots"), { recursive: true });
          for (const moment of history) {
            await repository.objects.save("snapshots", JSON.stringify({ ...template, ...moment }));
          }
          for (const rules of ruleSets) {
            const ours = applyKeepRules(history, rules, nowMs);
            const result = await stock(restic.path, world.path, [
              "forget",
              "--dry-run",
              "--json",
              "--no-lock",
              ...flags(rules),
            ]);
            // restic refuses to remove everything, but says so only for rules of tags alone.
            if (result.code !== 0 && ours.keep.length === 0) continue;
            expect(result.code, result.stderr).toBe(0);
            const [group] = JSON.parse(result.stdout) as StockGroup[];
            expect(
              lines(
                ours.keep.map(({ subject, reasons }) => [subject, reasons]),
                ours.remove,
              ),
            ).toEqual(
              lines(
                (group!.reasons ?? []).map(({ snapshot, matches }) => [snapshot, matches]),
                group!.remove ?? [],
              ),
            );
          }
        },
      ),
      { numRuns: histories },
    );
  });
});
