/** Checks the section `stores`: each entry against the schema of its kind. */
import { nameForm, namePattern } from "../domain/name.ts";
import { nearestName } from "../domain/nearest.ts";
import type { Redactor } from "../util/redact/redactor.ts";
import type { ConfiguredStore } from "./configuration.ts";
import { explainIssues } from "./explain.ts";
import { knownStoreKinds } from "./kinds.ts";
import type { PreparedFile } from "./prepare.ts";
import type { Problem } from "./problem.ts";
import { sealSecrets } from "./seal.ts";
import { StoreSection } from "./sections.ts";
import { shapeAt } from "./shape.ts";

type Section = Readonly<Record<string, unknown>>;

export function checkStores(
  file: PreparedFile,
  section: Section,
  redactor: Redactor,
  problems: Problem[],
): ConfiguredStore[] {
  return Object.entries(section).flatMap(([name, entry]) => {
    const path = ["stores", name];
    const problem = (text: string, at: readonly string[] = path): [] => {
      problems.push({ path: at, position: file.about.position(at), text });
      return [];
    };
    if (!checkName(file, path, problems)) return [];
    if (entry === null || typeof entry !== "object" || Array.isArray(entry)) {
      return problem("expected keys with values, such as { type: sqlite, path: ./memory.db }");
    }
    const { type, optional, ...own } = entry as Section;
    const kind = file.storeSchemas.find((known) => known.kind === type);
    if (!kind) return problem(unknownKind(type), type === undefined ? path : [...path, "type"]);
    const common = StoreSection.safeParse({ type, ...(optional === undefined ? {} : { optional }) });
    if (!common.success) problems.push(...explainIssues(common.error, path, file.about));
    const config = kind.schema.safeParse(own);
    if (!config.success) problems.push(...explainIssues(config.error, path, file.about));
    if (!common.success || !config.success) return [];
    const shape = shapeAt(file.shape, file.tree, path);
    return [
      {
        name,
        kind: kind.kind,
        optional: common.data.optional,
        config: sealSecrets(config.data, shape, (secret) => redactor.add(secret)),
      },
    ];
  });
}

function unknownKind(type: unknown): string {
  const known = knownStoreKinds.join(", ");
  if (type === undefined) return `it has no \`type:\`; known are ${known}`;
  const nearest = typeof type === "string" ? nearestName(type, knownStoreKinds) : undefined;
  return `there is no such kind of store; ${nearest === undefined ? `known are ${known}` : `did you mean \`${nearest}\`?`}`;
}

/** False, with a problem, for a name that cannot be part of a snapshot's paths. */
export function checkName(file: PreparedFile, path: readonly string[], problems: Problem[]): boolean {
  if (namePattern.test(path.at(-1)!)) return true;
  problems.push({
    path,
    position: file.about.keyPosition(path),
    text: `this is no name; expected ${nameForm}`,
  });
  return false;
}
