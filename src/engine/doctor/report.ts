/** What a doctor found, as data: the shape of `memkeep doctor --json`. */
import type { ProbeStatus } from "../../stores/store.ts";

export interface DoctorCheck {
  /** `store memory`, `repository local`, `configuration`, `this machine`. */
  readonly subject: string;
  readonly name: string;
  /** `unknown` is what could not be measured: it is no `ok` (law 7). */
  readonly status: ProbeStatus;
  /** One sentence: that it is well, or what is wrong and the command that mends it. */
  readonly text: string;
}

export interface DoctorReport {
  /** The worst of all; `unknown` counts as a warning. */
  readonly status: "ok" | "warning" | "critical";
  readonly checks: readonly DoctorCheck[];
}

export function doctorReport(checks: readonly DoctorCheck[]): DoctorReport {
  const statuses = new Set(checks.map(({ status }) => status));
  if (statuses.has("critical")) return { status: "critical", checks };
  return { status: statuses.has("warning") || statuses.has("unknown") ? "warning" : "ok", checks };
}
