/** Checks the section `repositories`: each entry, and its storage against the schema of that kind. */
import { MemkeepError } from "../domain/errors.ts";
import { nearestName } from "../domain/nearest.ts";
import { parseStorageUrl, storageKinds, type StoragePlace } from "../storages/index.ts";
import type { Redactor } from "../util/redact/redactor.ts";
import { Secret } from "../util/redact/secret.ts";
import { checkName } from "./check-stores.ts";
import type { ConfiguredRepository, PasswordSource } from "./configuration.ts";
import { explainIssues } from "./explain.ts";
import { knownStorageKinds } from "./kinds.ts";
import type { PreparedFile } from "./prepare.ts";
import type { Problem } from "./problem.ts";
import { sealSecrets } from "./seal.ts";
import { RepositorySection } from "./sections.ts";
import { shapeAt } from "./shape.ts";

type Section = Readonly<Record<string, unknown>>;

export async function checkRepositories(
  file: PreparedFile,
  section: Section,
  redactor: Redactor,
  problems: Problem[],
): Promise<ConfiguredRepository[]> {
  const repositories: ConfiguredRepository[] = [];
  for (const [name, entry] of Object.entries(section)) {
    const path = ["repositories", name];
    if (!checkName(file, path, problems)) continue;
    const parsed = RepositorySection.safeParse(entry);
    if (!parsed.success) {
      problems.push(...explainIssues(parsed.error, path, file.about));
      continue;
    }
    const place = await checkStorage(file, parsed.data.storage, [...path, "storage"], problems);
    if (place === undefined) continue;
    const { password, passwordFile, passwordCommand, retryLock } = parsed.data;
    const source = passwordSource(password, passwordFile, passwordCommand);
    if (source?.kind === "value") redactor.add(source.secret);
    // The storage keeps its own secrets; here they are only made known, so that no text shows them.
    sealSecrets(parsed.data.storage, shapeAt(file.shape, file.tree, [...path, "storage"]), (secret) =>
      redactor.add(secret),
    );
    repositories.push({ name, place, password: source, retryLockMs: retryLock });
  }
  return repositories;
}

function passwordSource(
  password: string | undefined,
  path: string | undefined,
  argv: readonly string[] | undefined,
): PasswordSource | undefined {
  if (password !== undefined) return { kind: "value", secret: new Secret(password) };
  if (path !== undefined) return { kind: "file", path };
  return argv && { kind: "command", argv };
}

async function checkStorage(
  file: PreparedFile,
  storage: unknown,
  path: readonly string[],
  problems: Problem[],
): Promise<StoragePlace | undefined> {
  const problem = (text: string): undefined => {
    problems.push({ path, position: file.about.position(path), text });
    return undefined;
  };
  if (storage === undefined) return problem("it is missing; expected a path or a URL");
  if (typeof storage === "string") {
    try {
      return await parseStorageUrl(storage);
    } catch (error) {
      if (error instanceof MemkeepError)
        return problem([error.message, error.next].filter(Boolean).join(". "));
      throw error;
    }
  }
  if (storage === null || typeof storage !== "object" || Array.isArray(storage)) {
    return problem("expected a path, a URL, or keys with a `type:`");
  }
  const { type, ...own } = storage as Section;
  const kind = storageKinds.find((known) => known.kind === type);
  if (!kind) {
    const nearest = typeof type === "string" ? nearestName(type, knownStorageKinds) : undefined;
    const known = `known are ${knownStorageKinds.join(", ")}`;
    return problem(
      `there is no such kind of storage; ${nearest === undefined ? known : `did you mean \`${nearest}\`?`}`,
    );
  }
  const parsed = (await kind.schema()).safeParse(own);
  if (parsed.success) return kind.fromConfig(own);
  problems.push(...explainIssues(parsed.error, path, file.about));
  return undefined;
}
