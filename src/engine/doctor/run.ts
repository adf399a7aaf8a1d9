/** Looks at everything that a backup, a verification or a restore needs, and says of each whether it is well. */
import { statfs } from "node:fs/promises";
import { readMounts } from "../../util/fs/mounts.ts";
import { openSpool } from "../spool.ts";
import type { StackRepository, StackStore, Surroundings } from "../stack.ts";
import { judgeDoubles, judgeNesting, type StorePlace } from "./places.ts";
import { type DoctorCheck, doctorReport, type DoctorReport } from "./report.ts";
import { examineRepository, judgeRoom } from "./repositories.ts";
import { examineStore, failed } from "./stores.ts";

export interface DoctorPatient {
  readonly stores: readonly StackStore[];
  readonly repositories: readonly StackRepository[];
  /** What was found already: of the configuration, of passwords. */
  readonly before: readonly DoctorCheck[];
}

/** Nobody made this program before that. */
const earliestMs = Date.UTC(2026, 0, 1);

/** Changes nothing but for a lock that it takes and lets go. What fails is a check, not a rejection. */
export async function doctor(patient: DoctorPatient, surroundings: Surroundings): Promise<DoctorReport> {
  const { observer } = surroundings;
  const mounts = await readMounts();
  const checks: DoctorCheck[] = [...patient.before];
  const places: StorePlace[] = [];
  let largestBytes = 0;
  let allBytes = 0;
  checks.push(judgeClock(surroundings.clock.now()));
  try {
    await using spool = await openSpool(surroundings.spoolRoot);
    for (const stackStore of patient.stores) {
      observer.step(stackStore.name, "asking the store");
      const {
        checks: own,
        place,
        estimatedBytes,
      } = await examineStore(stackStore, mounts, spool.folder, surroundings);
      checks.push(...own);
      if (place) places.push(place);
      largestBytes = Math.max(largestBytes, estimatedBytes);
      allBytes += estimatedBytes;
    }
    const { bavail, bsize } = await statfs(spool.folder);
    checks.push({ ...judgeRoom("this machine", bavail * bsize, largestBytes), name: "spool" });
  } catch (error) {
    surroundings.signal.throwIfAborted();
    checks.push({ ...failed("this machine", error), name: "spool" });
  }
  checks.push(...judgeDoubles(places));
  const local = patient.repositories.flatMap(({ name, localPath }) =>
    localPath === undefined ? [] : [{ name, path: localPath }],
  );
  checks.push(...judgeNesting(places, local));
  for (const repository of patient.repositories) {
    observer.step(repository.name, "asking the repository");
    checks.push(...(await examineRepository(repository, mounts, allBytes, surroundings)));
  }
  return doctorReport(checks);
}

function judgeClock(nowMs: number): DoctorCheck {
  const subject = "this machine";
  if (nowMs >= earliestMs) return { subject, name: "clock", status: "ok", text: "the clock is plausible" };
  return {
    subject,
    name: "clock",
    status: "critical",
    text: `the clock says ${new Date(nowMs).toISOString()}: set it (\`timedatectl set-ntp true\`), or keep rules will take wrong snapshots for old`,
  };
}
