/** The section `keep` as retention rules. */
import { type KeepRules, parseSpan } from "../domain/keep/index.ts";
import type { KeepSection } from "./sections.ts";

export function keepRules(section: KeepSection): KeepRules {
  const { tags, last, hourly, daily, weekly, monthly, yearly, ...spans } = section;
  return {
    ...withoutUndefined({ last, hourly, daily, weekly, monthly, yearly }),
    ...Object.fromEntries(
      Object.entries(withoutUndefined(spans)).map(([name, text]) => [name, parseSpan(text)]),
    ),
    ...(tags === undefined ? {} : { tags: tags.map((list) => list.split(",")) }),
  };
}

function withoutUndefined<T>(values: Readonly<Record<string, T | undefined>>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, T] => entry[1] !== undefined),
  );
}
