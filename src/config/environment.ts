/** The variables that a process was started with. Passed along rather than read anywhere, so that tests turn them. */
export type Environment = Readonly<Record<string, string | undefined>>;
