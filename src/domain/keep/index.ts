/** Retention rules, pure: from a history and rules to what is kept, and why. */
export { applyKeepRules, type KeepOutcome, type KeepSubject, type Kept } from "./apply.ts";
export { formatSpan, type KeepRules, parseSpan } from "./rules.ts";
export type { KeepSpan } from "./stamp.ts";
