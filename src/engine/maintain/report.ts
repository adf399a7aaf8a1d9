/** What maintenance the stores offer, and what came of it, as data. */
export interface MaintenancePlan {
  readonly stores: readonly {
    readonly store: string;
    readonly kind: string;
    readonly tasks: readonly { readonly name: string; readonly text: string }[];
    /** Why the store could not say; `tasks` is empty then. */
    readonly error: string | undefined;
  }[];
}

export interface MaintenanceReport {
  readonly done: readonly {
    readonly store: string;
    readonly task: string;
    readonly ok: boolean;
    /** What was done, or why it was not. */
    readonly text: string;
    readonly durationMs: number;
  }[];
}
