/** The verdict on a stack, from facts alone: is there a recovery point, is it young, is it whole, is it proven. */
import { ageText, timeText } from "../../domain/words.ts";
import { type Behind, catchUpCommand, findBehind } from "../copy/behind.ts";
import type { Proof } from "../../repository/repository.ts";
import type { RepositoryFacts, StatusFacts } from "./facts.ts";
import { isGood, onlyStack, type Point, pointsOf, pointStatus, provenStatus } from "./points.ts";
import { pointProblems, repositoryProblems } from "./problems.ts";
import type {
  NextStep,
  RepositoryStatus,
  StatusProblem,
  StatusReport,
  StatusState,
  StoreStatus,
} from "./report.ts";

/** A weekly proof may be a day late. */
const proofMaxAgeMs = 8 * 24 * 3_600_000;

/** `SNAPSHOT_AMBIGUOUS` when no stack is named and the repositories hold several. */
export function judgeStatus(facts: StatusFacts): StatusReport {
  const stack = facts.stack ?? onlyStack(facts.repositories);
  const perRepository = facts.repositories.map((repository) => ({
    repository,
    points: repository.reached ? pointsOf(repository, stack) : [],
  }));
  const points = perRepository
    .flatMap((each) => each.points)
    .sort((a, b) => b.info.timeMs - a.info.timeMs || Number(isGood(b)) - Number(isGood(a)));
  const newest = points[0];
  const proven = points.find(isGood);
  const stores = storesOf(facts, points);
  const behind = findBehind(
    facts.repositories.filter((repository) => repository.reached),
    stack,
  );
  const problems = [
    ...repositoryProblems(facts.repositories, behind),
    ...pointProblems(facts, points, newest, stores),
  ];
  const state = stateOf(facts, newest, proven, stores, problems);
  return {
    stack: stack ?? null,
    state,
    verdict: verdictOf(state, facts, newest, proven),
    newest: pointStatus(newest, facts.nowMs),
    proven: provenStatus(proven, facts.nowMs),
    stores,
    repositories: perRepository.map(({ repository, points: own }) =>
      repositoryStatus(
        repository,
        own,
        behind.find(({ name }) => name === repository.name),
        facts.nowMs,
      ),
    ),
    problems,
    next: nextSteps(state, newest, behind, facts),
  };
}

function storesOf({ stores, nowMs }: StatusFacts, points: readonly Point[]): StoreStatus[] {
  const kinds = new Map<string, string | null>(stores.map(({ name, kind }) => [name, kind]));
  for (const name of points[0]?.info.stores ?? []) if (!kinds.has(name)) kinds.set(name, null);
  return [...kinds].map(([name, kind]) => {
    const own = points.filter(({ info }) => info.stores.includes(name));
    const proven = own.find((point) => isGood(point) && provenLevel(point, name) !== undefined);
    const level = proven && provenLevel(proven, name);
    const status = provenStatus(proven, nowMs);
    return {
      name,
      kind,
      newest: pointStatus(own[0], nowMs),
      proven: status && level ? { ...status, level } : null,
    };
  });
}

/** A check of the whole repository proves every store without naming them. */
function provenLevel({ proof }: Point, store: string): Proof["level"] | undefined {
  if (!proof) return undefined;
  if (proof.stores.length === 0) return proof.level;
  return proof.stores.find(({ name }) => name === store)?.level;
}

function stateOf(
  { nowMs, maxAgeMs, repositories }: StatusFacts,
  newest: Point | undefined,
  proven: Point | undefined,
  stores: readonly StoreStatus[],
  problems: readonly StatusProblem[],
): StatusState {
  if (!repositories.some(({ reached }) => reached)) return "unknown";
  if (!newest) return "empty";
  if (nowMs - newest.info.timeMs > maxAgeMs) return "late";
  if (problems.some(({ severity }) => severity === "critical")) return "failing";
  // One that was never backed up is a problem of its own, and none where it is optional.
  const unproven = stores.some((store) => store.newest !== null && store.proven === null);
  if (!proven || unproven || nowMs - proven.info.timeMs > proofMaxAgeMs) return "unproven";
  return "ok";
}

function verdictOf(
  state: StatusState,
  { nowMs }: StatusFacts,
  newest: Point | undefined,
  proven: Point | undefined,
): string {
  if (state === "unknown") return "No repository could be reached: nothing is known.";
  if (!newest) return "Nothing is backed up yet.";
  const { timeMs } = newest.info;
  const point = `${timeText(timeMs)} (${ageText(timeMs, nowMs)})`;
  const proof =
    proven === undefined
      ? ""
      : ` The newest proven one is of ${timeText(proven.info.timeMs)} (${ageText(proven.info.timeMs, nowMs)}).`;
  switch (state) {
    case "ok":
      return proven === newest
        ? `Restorable as of ${point}, and proven: ${levelWords[proven.proof!.level]}.`
        : `Restorable as of ${point}.${proof}`;
    case "unproven":
      if (proven === newest)
        return `There is a recovery point of ${point}, of which a part was never proven to restore.`;
      return proven === undefined
        ? `There is a recovery point of ${point}, but none was ever proven to restore.`
        : `There is a recovery point of ${point}, not proven to restore.${proof}`;
    case "late":
      return `Late: the newest recovery point is of ${point}.${proof === "" ? " None was ever proven." : proof}`;
    case "failing":
      return `The newest recovery point, of ${point}, is not what it should be.${proof}`;
    case "empty":
      return "Nothing is backed up yet.";
  }
}

const levelWords: Readonly<Record<Proof["level"], string>> = {
  stored: "every byte is there",
  decoded: "every record was read",
  restored: "restored in a drill and compared",
};

function nextSteps(
  state: StatusState,
  newest: Point | undefined,
  behind: readonly Behind[],
  { repositories }: StatusFacts,
): NextStep[] {
  const steps: NextStep[] = [];
  for (const repository of repositories) {
    if (repository.reached) continue;
    if (repository.error.code === "REPOSITORY_MISSING") {
      steps.push({ text: `make the repository ${repository.name}`, command: "init" });
    } else if (!repository.error.code.startsWith("PASSWORD")) {
      // What a password needs is told with the problem.
      steps.push({ text: `see why ${repository.name} does not answer`, command: "doctor" });
    }
  }
  if (state === "empty" || state === "late") steps.push({ text: "back up now", command: "backup" });
  if (state === "failing") {
    steps.push({ text: "take a whole new snapshot", command: "backup --force" });
    steps.push({ text: "see what is wrong", command: "doctor" });
  }
  if (state === "unproven" && newest) {
    steps.push({ text: "prove that it restores", command: `verify ${newest.info.id.slice(0, 8)}` });
  }
  for (const lag of behind) {
    steps.push({ text: `bring ${lag.name} up to date with ${lag.from}`, command: catchUpCommand(lag) });
  }
  return steps;
}

function repositoryStatus(
  repository: RepositoryFacts,
  points: readonly Point[],
  lag: Behind | undefined,
  nowMs: number,
): RepositoryStatus {
  const { name } = repository;
  if (!repository.reached) {
    const { code, message } = repository.error;
    return {
      name,
      location: null,
      snapshots: 0,
      newest: null,
      proven: null,
      behind: null,
      error: { code, text: message },
    };
  }
  return {
    name,
    location: repository.location,
    snapshots: points.length,
    newest: pointStatus(points[0], nowMs),
    proven: provenStatus(points.find(isGood), nowMs),
    behind: lag ? { snapshots: lag.lacks, from: lag.from } : null,
    error: null,
  };
}
