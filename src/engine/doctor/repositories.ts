/** Reaches every repository: password, rights, locks, clocks, room, where it lies. */
import { durationText, sizeText, timeText } from "../../domain/words.ts";
import type { Repository } from "../../repository/repository.ts";
import type { StorageFacts } from "../../storages/storage.ts";
import { type Mount, nearestReal } from "../../util/fs/mounts.ts";
import type { StackRepository, Surroundings } from "../stack.ts";
import { judgePlace } from "./places.ts";
import type { DoctorCheck } from "./report.ts";
import { failed } from "./stores.ts";

/** Clocks that differ by more make ages and locks wrong, and servers refuse signatures. */
const clockSlackMs = 60_000;

/** Less room than that is soon none. */
const littleRoomBytes = 500_000_000;

/** @param neededBytes what a backup may add at the most. Rejects only when it is interrupted. */
export async function examineRepository(
  stackRepository: StackRepository,
  mounts: readonly Mount[],
  neededBytes: number,
  { clock, signal }: Surroundings,
): Promise<DoctorCheck[]> {
  const subject = `repository ${stackRepository.name}`;
  const checks: DoctorCheck[] = [];
  try {
    const repository = await stackRepository.open();
    try {
      const { location } = repository;
      checks.push({ subject, name: "reachable", status: "ok", text: `${location} opens with the password` });
      checks.push(await rights(subject, repository));
      checks.push(...(await lockChecks(subject, repository)));
      checks.push(...(await snapshotChecks(subject, repository, clock.now())));
    } finally {
      await repository.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    checks.push(failed(subject, error));
  }
  const { localPath } = stackRepository;
  if (localPath !== undefined) {
    checks.push(judgePlace({ subject, path: localPath, realPath: await nearestReal(localPath) }, mounts));
  }
  try {
    const facts = await stackRepository.inspect();
    if (facts) checks.push(...judgeStorage(subject, facts, neededBytes, clock.now()));
  } catch (error) {
    signal.throwIfAborted();
    // One that does not open has told why.
    if (checks.every(({ status }) => status !== "critical")) checks.push(failed(subject, error));
  }
  return checks;
}

/** Takes a lock and lets it go: that is writing and removing, with nothing left behind. */
async function rights(subject: string, repository: Repository): Promise<DoctorCheck> {
  await using guard = await repository.guard();
  const name = "rights";
  if (guard.guarded) {
    const removing = await repository.canRemove();
    const text = removing
      ? "it can be written"
      : "it can be added to, and nothing can be removed: backups work; `forget`, `prune` and `unlock` need another key";
    return { subject, name, status: "ok", text };
  }
  return {
    subject,
    name,
    status: "critical",
    text: "it can be read but not written: no backup can be stored. Give this user (or key) the right to write.",
  };
}

async function lockChecks(subject: string, repository: Repository): Promise<DoctorCheck[]> {
  return (await repository.locks())
    .filter(({ stale }) => stale)
    .map(({ hostname, pid, time }) => ({
      subject,
      name: "locks",
      status: "warning",
      text: `a lock of ${hostname} (pid ${pid}) since ${timeText(Date.parse(time))} was left behind: \`memkeep unlock\` removes it`,
    }));
}

async function snapshotChecks(
  subject: string,
  repository: Repository,
  nowMs: number,
): Promise<DoctorCheck[]> {
  const checks: DoctorCheck[] = [];
  const snapshots = await repository.snapshots((id, error) => {
    checks.push({
      subject,
      name: "snapshots",
      status: "critical",
      text: `snapshot ${id.slice(0, 8)} cannot be read: ${error.message}. \`memkeep repository check\` tells what is harmed.`,
    });
  });
  const ahead = snapshots.find(({ timeMs }) => timeMs - nowMs > clockSlackMs);
  if (ahead) {
    checks.push({
      subject,
      name: "clock",
      status: "warning",
      text: `snapshot ${ahead.id.slice(0, 8)} is of ${timeText(ahead.timeMs)}, which is to come: set this machine's clock, or the writer's`,
    });
  }
  return checks;
}

/** From facts alone. */
export function judgeStorage(
  subject: string,
  facts: StorageFacts,
  neededBytes: number,
  nowMs: number,
): DoctorCheck[] {
  const checks: DoctorCheck[] = [];
  if (facts.timeMs !== undefined) {
    const apartMs = Math.abs(facts.timeMs - nowMs);
    const text =
      apartMs <= clockSlackMs
        ? "its clock and this machine's agree"
        : `its clock and this machine's are ${durationText(apartMs)} apart: set them by NTP (\`timedatectl set-ntp true\`)`;
    checks.push({ subject, name: "clock", status: apartMs <= clockSlackMs ? "ok" : "warning", text });
  }
  if (facts.freeBytes !== undefined) checks.push(judgeRoom(subject, facts.freeBytes, neededBytes));
  for (const text of facts.sentences) checks.push({ subject, name: "storage", status: "ok", text });
  return checks;
}

export function judgeRoom(subject: string, freeBytes: number, neededBytes: number): DoctorCheck {
  const room = `${sizeText(freeBytes)} free`;
  const name = "room";
  if (freeBytes < neededBytes) {
    return {
      subject,
      name,
      status: "critical",
      text: `${room}, and one dump has about ${sizeText(neededBytes)}. Make room: \`memkeep forget\` with \`memkeep prune\`, or a larger disk.`,
    };
  }
  if (freeBytes < littleRoomBytes) return { subject, name, status: "warning", text: `only ${room}` };
  return { subject, name, status: "ok", text: room };
}
