/**
 * Which snapshots the rules keep, and why: restic's algorithm, decision for decision (its `forget` on the same history
 * gives the same answer; a test compares them). What memkeep adds, it adds on top: `engine/retain`.
 */
import { areEmpty, formatSpan, isZero, type KeepRules } from "./rules.ts";
import { before, bucketOf, compareStamps, type KeepSpan, parseStamp, type Stamp } from "./stamp.ts";

export interface KeepSubject {
  /** RFC 3339. Hours, days, weeks … are those of the zone that stands in it. */
  readonly time: string;
  readonly tags: readonly string[];
}

export interface Kept<Subject> {
  readonly subject: Subject;
  /** In restic's words, such as `daily snapshot`. */
  readonly reasons: readonly string[];
}

export interface KeepOutcome<Subject> {
  /** Newest first, as `remove` is. */
  readonly keep: readonly Kept<Subject>[];
  readonly remove: readonly Subject[];
}

interface Stamped<Subject> {
  readonly subject: Subject;
  readonly stamp: Stamp;
}

/** Buckets whose newest snapshot is kept while a number of them is left. */
interface CountedBucket {
  left: number;
  readonly bucket: (stamp: Stamp, position: number) => string;
  last: string | undefined;
  readonly reason: string;
}

/** Buckets whose newest snapshot is kept back to an instant. */
interface SpanBucket {
  readonly since: Stamp | undefined;
  readonly bucket: (stamp: Stamp) => string;
  last: string | undefined;
  readonly reason: string;
}

/** Among equal times the order given decides. Without rules everything is kept. */
export function applyKeepRules<Subject extends KeepSubject>(
  subjects: readonly Subject[],
  rules: KeepRules,
  nowMs: number,
): KeepOutcome<Subject> {
  const stamped = subjects.map((subject): Stamped<Subject> => ({ subject, stamp: parseStamp(subject.time) }));
  stamped.sort((a, b) => compareStamps(b.stamp, a.stamp));
  if (areEmpty(rules)) {
    return { keep: stamped.map(({ subject }) => ({ subject, reasons: ["policy is empty"] })), remove: [] };
  }
  const latest = newestNotInFuture(stamped, nowMs);
  const counted = countedBuckets(rules);
  const spans = spanBuckets(rules, latest);
  const keep: Kept<Subject>[] = [];
  const remove: Subject[] = [];
  for (const [position, { subject, stamp }] of stamped.entries()) {
    const reasons: string[] = [];
    for (const tags of rules.tags ?? []) {
      if (hasTags(subject, tags)) reasons.push(`has tags [${tags.join(", ")}]`);
    }
    if (rules.within && !isZero(rules.within) && isAfter(stamp, sinceOf(rules.within, latest))) {
      reasons.push(`within ${formatSpan(rules.within)}`);
    }
    const oldest = position === stamped.length - 1;
    for (const rule of counted) {
      const value = rule.bucket(stamp, position);
      // The oldest is kept as well while a count is left: so history reaches as far back as it can.
      if (rule.left === 0 || (value === rule.last && !oldest)) continue;
      reasons.push(value === rule.last ? `oldest ${rule.reason}` : rule.reason);
      rule.last = value;
      if (rule.left > 0) rule.left--;
    }
    for (const rule of spans) {
      const value = rule.bucket(stamp);
      if (!isAfter(stamp, rule.since) || value === rule.last) continue;
      rule.last = value;
      reasons.push(rule.reason);
    }
    if (reasons.length > 0) keep.push({ subject, reasons });
    else remove.push(subject);
  }
  return { keep, remove };
}

function countedBuckets(rules: KeepRules): CountedBucket[] {
  const always = (_stamp: Stamp, position: number): string => String(position);
  const buckets = [
    [rules.last, always, "last snapshot"],
    [rules.hourly, (stamp: Stamp) => bucketOf(stamp, "hour"), "hourly snapshot"],
    [rules.daily, (stamp: Stamp) => bucketOf(stamp, "day"), "daily snapshot"],
    [rules.weekly, (stamp: Stamp) => bucketOf(stamp, "week"), "weekly snapshot"],
    [rules.monthly, (stamp: Stamp) => bucketOf(stamp, "month"), "monthly snapshot"],
    [rules.yearly, (stamp: Stamp) => bucketOf(stamp, "year"), "yearly snapshot"],
  ] as const;
  return buckets.map(([left = 0, bucket, reason]) => ({ left, bucket, last: undefined, reason }));
}

function spanBuckets(rules: KeepRules, latest: Stamp | undefined): SpanBucket[] {
  const buckets = [
    [rules.withinHourly, "hour", "hourly within"],
    [rules.withinDaily, "day", "daily within"],
    [rules.withinWeekly, "week", "weekly within"],
    [rules.withinMonthly, "month", "monthly within"],
    [rules.withinYearly, "year", "yearly within"],
  ] as const;
  return buckets.flatMap(([span, by, text]) => {
    if (!span || isZero(span)) return [];
    return {
      since: sinceOf(span, latest),
      bucket: (stamp: Stamp) => bucketOf(stamp, by),
      last: undefined,
      reason: `${text} ${formatSpan(span)}`,
    };
  });
}

/** Undefined where every snapshot lies in the future: then every one is within any span. */
function newestNotInFuture(newestFirst: readonly Stamped<unknown>[], nowMs: number): Stamp | undefined {
  return newestFirst.find(({ stamp }) => stamp.seconds * 1000 + stamp.nanos / 1e6 < nowMs)?.stamp;
}

function sinceOf(span: KeepSpan, latest: Stamp | undefined): Stamp | undefined {
  return latest && before(latest, span);
}

function isAfter(stamp: Stamp, since: Stamp | undefined): boolean {
  return since === undefined || compareStamps(stamp, since) > 0;
}

function hasTags({ tags }: KeepSubject, wanted: readonly string[]): boolean {
  return wanted.every((tag) => tags.includes(tag)) || (wanted.includes("") && tags.length === 0);
}
