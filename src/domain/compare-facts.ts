/** Holds what came out against what the manifest says. Equal counts prove nothing: every digest must agree. */
import { amountText } from "./words.ts";
import type { CollectionFacts } from "./manifest.ts";

/** Sentences, one a difference; none when everything agrees. */
export function compareFacts(
  expected: readonly CollectionFacts[],
  found: readonly CollectionFacts[],
): string[] {
  const differences: string[] = [];
  const byName = new Map(found.map((facts) => [facts.name, facts]));
  for (const facts of expected) {
    const other = byName.get(facts.name);
    byName.delete(facts.name);
    if (!other) {
      differences.push(`${facts.name} is missing (${amountText(facts.records, "record")})`);
    } else if (other.records !== facts.records) {
      differences.push(`${facts.name} has ${other.records} records, the manifest says ${facts.records}`);
    } else if (other.keyDigest !== facts.keyDigest) {
      differences.push(`${facts.name} has other keys than the manifest says`);
    } else if (other.contentDigest !== facts.contentDigest) {
      differences.push(`${facts.name} has as many records as it should, but other content`);
    }
  }
  for (const name of byName.keys()) differences.push(`${name} is there and not in the manifest`);
  return differences;
}
