/** Schemas of values that people write with a unit, for every adaptor's configuration and the sections of the file. */
import { z } from "zod";
import { durationForm, durationPattern, parseDuration } from "./duration.ts";
import { parseSize, sizeForm, sizePattern } from "./size.ts";

/** `30s`, `5m`, `24h`; milliseconds once parsed. */
export const Duration = measured(durationPattern, parseDuration, durationForm);

/** `500MB`, `16MiB`; bytes once parsed. */
export const Size = measured(sizePattern, parseSize, sizeForm);

function measured(
  pattern: RegExp,
  parse: (text: string) => number | undefined,
  form: string,
): z.ZodPipe<z.ZodString, z.ZodTransform<number, string>> {
  return z
    .string({ error: `expected ${form}` })
    .regex(pattern, `expected ${form}`)
    .transform((text, context) => {
      const amount = parse(text);
      if (amount !== undefined) return amount;
      context.addIssue({ code: "custom", message: `expected ${form}` });
      return z.NEVER;
    });
}
