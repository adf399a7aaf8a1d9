/** What `doctor` finds in the configuration itself: secrets that others can read, passwords that can be guessed. */
import { stat } from "node:fs/promises";
import type { DoctorCheck } from "../engine/doctor/report.ts";
import { reasonOf } from "../domain/errors.ts";
import { mask } from "../util/redact/secret.ts";
import type { Configuration, ConfiguredRepository } from "./configuration.ts";
import { findPassword, type PasswordAccess } from "./password.ts";
import { passwordWeakness } from "./password-strength.ts";

export async function examineConfiguration(
  configuration: Configuration,
  access: PasswordAccess,
): Promise<DoctorCheck[]> {
  const checks: DoctorCheck[] = [];
  const { file } = configuration;
  if (file !== undefined) {
    const secrets = configuration.values.filter(
      ({ value, origin }) => value === mask && origin.kind === "file" && origin.variables.length === 0,
    );
    const text = secrets.length === 0 ? `${file} is right and holds no secrets` : `${file} is right`;
    checks.push({ subject: "configuration", name: "file", status: "ok", text });
    if (secrets.length > 0) checks.push(await modeCheck("configuration", file));
  }
  for (const path of passwordFiles(configuration.repositories, access)) {
    checks.push(await modeCheck("configuration", path));
  }
  for (const repository of configuration.repositories) {
    checks.push(await strengthCheck(repository, access));
  }
  return checks;
}

/** Of the ways that are tried, in their order, those that are files. */
function passwordFiles(
  repositories: readonly ConfiguredRepository[],
  { environment }: PasswordAccess,
): string[] {
  const variables = ["MEMKEEP_PASSWORD_FILE", "RESTIC_PASSWORD_FILE"].map((name) => environment[name]);
  const configured = repositories.map(({ password }) =>
    password?.kind === "file" ? password.path : undefined,
  );
  return [...new Set([...variables, ...configured])].filter(
    (path) => path !== undefined && path !== "",
  ) as string[];
}

async function modeCheck(subject: string, path: string): Promise<DoctorCheck> {
  const name = "secrets";
  try {
    const { mode } = await stat(path);
    const others = mode & 0o077;
    if (others === 0) return { subject, name, status: "ok", text: `${path} is readable by its owner alone` };
    const octal = (mode & 0o777).toString(8).padStart(3, "0");
    const text = `${path} holds a secret and others may read it (mode ${octal}): \`chmod 600 ${path}\``;
    return { subject, name, status: (mode & 0o007) === 0 ? "warning" : "critical", text };
  } catch (error) {
    return { subject, name, status: "unknown", text: `${path} cannot be looked at: ${reasonOf(error)}` };
  }
}

async function strengthCheck(repository: ConfiguredRepository, access: PasswordAccess): Promise<DoctorCheck> {
  const subject = `repository ${repository.name}`;
  const name = "password";
  try {
    const { secret, origin } = await findPassword(repository, access);
    const weakness = passwordWeakness(secret.reveal());
    if (weakness === undefined) {
      return { subject, name, status: "ok", text: `the password (from ${origin}) is long enough` };
    }
    return {
      subject,
      name,
      status: "warning",
      text: `the password (from ${origin}) ${weakness}: who gets the repository can try passwords as fast as their machines can. Take a longer one.`,
    };
  } catch (error) {
    access.signal.throwIfAborted();
    return { subject, name, status: "critical", text: reasonOf(error) };
  }
}
