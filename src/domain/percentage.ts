/** Percentages as people write them: `5%`, `0.5%`. */

export const percentagePattern = /^\d+(?:\.\d+)? ?%$/;

/** What to write, for messages. */
export const percentageForm = "a percentage such as 5%";

/** A share from 0 to 1; undefined when the text is no percentage, or above 100 %. */
export function parsePercentage(text: string): number | undefined {
  if (!percentagePattern.test(text)) return undefined;
  const share = Number.parseFloat(text) / 100;
  return share <= 1 ? share : undefined;
}
