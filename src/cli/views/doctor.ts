/** One line for each check, by subject; then the verdict. */
import type { DoctorCheck, DoctorReport } from "../../engine/doctor/report.ts";
import { amountText } from "../../domain/words.ts";
import { hanging, printable, type Style } from "../output/style.ts";

/** @param onlyWrong leave out what is well. */
export function doctorView({ checks, status }: DoctorReport, onlyWrong: boolean, style: Style): string {
  const shown = onlyWrong ? checks.filter((check) => check.status !== "ok") : checks;
  const subjects = [...new Set(shown.map(({ subject }) => subject))].sort((a, b) => rankOf(a) - rankOf(b));
  const blocks = subjects.map((subject) =>
    [
      style.bold(printable(subject)),
      ...shown.filter((check) => check.subject === subject).map((check) => line(check, style)),
    ].join("\n"),
  );
  return [...blocks, verdict(checks, status, style)].join("\n\n");
}

const order = ["configuration", "this", "store", "repository"];

function rankOf(subject: string): number {
  return order.indexOf(subject.split(" ")[0]!);
}

function line({ name, status, text }: DoctorCheck, style: Style): string {
  const { sign, paint } = look(status, style);
  const words = `${name}: ${printable(text)}`;
  return hanging(`  ${paint(sign)} `, status === "ok" ? words : paint(words), style);
}

function look(
  status: DoctorCheck["status"],
  style: Style,
): { sign: string; paint: (text: string) => string } {
  switch (status) {
    case "ok":
      return { sign: style.signs.good, paint: style.good };
    case "warning":
      return { sign: style.signs.warn, paint: style.warn };
    case "unknown":
      return { sign: "?", paint: style.warn };
    case "critical":
      return { sign: style.signs.bad, paint: style.bad };
  }
}

function verdict(checks: readonly DoctorCheck[], status: DoctorReport["status"], style: Style): string {
  if (status === "ok") return style.good(`All is well: ${amountText(checks.length, "check")}.`);
  const critical = checks.filter((check) => check.status === "critical").length;
  const others = checks.filter(({ status }) => status === "warning" || status === "unknown").length;
  const parts = [
    ...(critical > 0 ? [amountText(critical, "error")] : []),
    ...(others > 0 ? [amountText(others, "warning")] : []),
  ];
  return (status === "critical" ? style.bad : style.warn)(
    `${parts.join(" and ")} in ${amountText(checks.length, "check")}.`,
  );
}
