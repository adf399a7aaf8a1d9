/** What needs attention, in sentences. */
import { ageText, durationText, timeText } from "../../domain/words.ts";
import { type Behind, behindText } from "../copy/behind.ts";
import type { RepositoryFacts, StatusFacts } from "./facts.ts";
import type { Point } from "./points.ts";
import type { StatusProblem, StoreStatus } from "./report.ts";

/** Clocks of machines differ a little. */
const clockSlackMs = 5 * 60_000;

/** Of each repository: not reached, damaged, locked, behind the others. */
export function repositoryProblems(
  repositories: readonly RepositoryFacts[],
  behind: readonly Behind[],
): StatusProblem[] {
  return repositories.flatMap((repository): StatusProblem[] => {
    const { name } = repository;
    if (!repository.reached) {
      const { message, next } = repository.error;
      return [warning(`${name}: ${[message, next].filter(Boolean).join(". ")}`)];
    }
    const problems = repository.unreadable.map((text) => warning(`${name}: ${text}`));
    for (const { stale, hostname, time } of repository.locks) {
      if (stale) {
        problems.push(warning(`${name}: a lock of ${hostname} since ${time} is left over; memkeep unlock`));
      }
    }
    problems.push(...behind.filter((lag) => lag.name === name).map((lag) => warning(behindText(lag))));
    return problems;
  });
}

/** Of the newest recovery point: too old, damaged, of the future, without a store. */
export function pointProblems(
  { nowMs, maxAgeMs, stores: configured }: StatusFacts,
  points: readonly Point[],
  newest: Point | undefined,
  stores: readonly StoreStatus[],
): StatusProblem[] {
  if (!newest) return [];
  const problems: StatusProblem[] = [];
  const { timeMs, id } = newest.info;
  for (const point of points) {
    if (point.info.timeMs === timeMs && point.proof?.ok === false) {
      const what = `${point.info.id.slice(0, 8)} in ${point.repository}`;
      problems.push(critical(`the newest snapshot, ${what}, did not pass its verification`));
    }
  }
  if (nowMs - timeMs > maxAgeMs) {
    problems.push(
      critical(
        `the newest recovery point was made ${ageText(timeMs, nowMs)}; at least one every ${durationText(maxAgeMs)} is expected`,
      ),
    );
  }
  if (timeMs - nowMs > clockSlackMs) {
    problems.push(
      warning(`snapshot ${id.slice(0, 8)} is of the future: this clock or the writer's is wrong`),
    );
  }
  for (const { name, newest: own } of stores) {
    if (own?.time === newest.info.time) continue;
    const optional = configured.find((store) => store.name === name)?.optional === true;
    const text =
      own === null
        ? `the store ${name} was never backed up`
        : `the store ${name} is not in the newest snapshot; its last is of ${timeText(Date.parse(own.time))}`;
    problems.push(optional ? warning(text) : critical(text));
  }
  return problems;
}

function warning(text: string): StatusProblem {
  return { severity: "warning", text };
}

function critical(text: string): StatusProblem {
  return { severity: "critical", text };
}
