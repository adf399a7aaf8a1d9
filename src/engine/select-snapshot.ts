/** Finds the snapshot that somebody means: `latest`, `latest:STACK`, the beginning of an id, or a time. */
import { amountText } from "../domain/words.ts";
import { MemkeepError } from "../domain/errors.ts";
import { nearestName } from "../domain/nearest.ts";
import type { SnapshotInfo } from "../repository/repository.ts";

export interface SnapshotQuestion {
  /** `latest`, `latest:STACK` or the beginning of an id. */
  readonly text: string;
  /** Of the configuration or a flag; undefined when only a repository was named. */
  readonly stack: string | undefined;
  /** The newest at or before this instant, milliseconds since 1970. Goes with `latest` alone. */
  readonly atMs: number | undefined;
}

const mostListed = 10;

/**
 * @param snapshots of a repository, newest first.
 * `SNAPSHOT_NOT_FOUND` and `SNAPSHOT_AMBIGUOUS` say what there is. Safety snapshots are found by their id alone.
 */
export function selectSnapshot(snapshots: readonly SnapshotInfo[], question: SnapshotQuestion): SnapshotInfo {
  const latest = /^latest(?::(.*))?$/s.exec(question.text);
  if (!latest) return byId(snapshots, question);
  const stack = latest[1] ?? question.stack ?? onlyStack(snapshots);
  const own = snapshots.filter((info) => !info.safety && info.stack === stack);
  const newest = own[0];
  if (!newest) throw noneOf(snapshots, stack);
  const { atMs } = question;
  if (atMs === undefined) return newest;
  const found = own.find(({ timeMs }) => timeMs <= atMs);
  if (found) return found;
  const first = own.at(-1) ?? newest;
  throw new MemkeepError("SNAPSHOT_NOT_FOUND", {
    tried: `find a snapshot at or before ${new Date(atMs).toISOString()}`,
    happened: `the first of the stack ${stack} is ${first.id.slice(0, 8)} of ${first.time}`,
    next: `Take that one (${first.id.slice(0, 8)}), or a later time.`,
    details: { first: first.id },
  });
}

function byId(snapshots: readonly SnapshotInfo[], { text, atMs }: SnapshotQuestion): SnapshotInfo {
  if (!/^[0-9a-f]{1,64}$/i.test(text)) {
    throw new MemkeepError("USAGE", {
      tried: `find the snapshot ${JSON.stringify(text.slice(0, 80))}`,
      happened: "it is neither `latest` nor the beginning of an id",
      next:
        nearestName(text, ["latest"]) === undefined
          ? "Run `memkeep snapshots` to see what there is."
          : "Did you mean latest?",
    });
  }
  if (atMs !== undefined) {
    throw new MemkeepError("USAGE", {
      tried: "find a snapshot by its id and by a time",
      happened: "an id names one snapshot already",
      next: "Leave out --at, or write `latest` for the id.",
    });
  }
  const found = snapshots.filter(({ id }) => id.startsWith(text.toLowerCase()));
  if (found.length === 1) return found[0]!;
  if (found.length === 0) {
    throw new MemkeepError("SNAPSHOT_NOT_FOUND", {
      tried: `find the snapshot ${text}`,
      happened:
        snapshots.length === 0
          ? "the repository has no snapshots yet"
          : `none of the repository's ${amountText(snapshots.length, "snapshot")} has an id that begins so`,
      next: "Run `memkeep snapshots` to see what there is.",
    });
  }
  throw new MemkeepError("SNAPSHOT_AMBIGUOUS", {
    tried: `find the snapshot ${text}`,
    happened: `${found.length} snapshots have an id that begins so`,
    next: "Write more of its id.",
    details: {
      candidates: [
        ...found
          .slice(0, mostListed)
          .map(({ id, time, stack }) => `${id.slice(0, 16)}  ${time}  ${stack ?? ""}`),
        ...(found.length > mostListed ? [`and ${found.length - mostListed} more`] : []),
      ],
    },
  });
}

/** The stack of a repository that holds one. */
function onlyStack(snapshots: readonly SnapshotInfo[]): string | undefined {
  const stacks = stacksOf(snapshots);
  if (stacks.length <= 1) return stacks[0];
  throw new MemkeepError("SNAPSHOT_AMBIGUOUS", {
    tried: "find the latest snapshot",
    happened: `the repository holds ${stacks.length} stacks`,
    next: `Name one, such as latest:${stacks[0]!}, or with --stack.`,
    details: { stacks },
  });
}

function noneOf(snapshots: readonly SnapshotInfo[], stack: string | undefined): MemkeepError {
  const others = stacksOf(snapshots);
  return new MemkeepError("SNAPSHOT_NOT_FOUND", {
    tried:
      stack === undefined ? "find the latest snapshot" : `find the latest snapshot of the stack ${stack}`,
    happened:
      others.length === 0
        ? "the repository has none of any stack yet"
        : `the repository has those of ${others.join(", ")}`,
    next:
      others.length === 0
        ? "Make one with `memkeep backup`."
        : `Name the stack, such as latest:${others[0]!}, or with --stack.`,
  });
}

function stacksOf(snapshots: readonly SnapshotInfo[]): string[] {
  const stacks = snapshots.flatMap(({ stack, safety }) => (stack === undefined || safety ? [] : [stack]));
  return [...new Set(stacks)].sort();
}
