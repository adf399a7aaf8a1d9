import { readFile } from "node:fs/promises";

import { sharedData } from "./shared.ts";

/** One request to a real server 1.18.3 and its answer, without the field `time`. */
export interface Exchange {
  /** Its place in the recording, from 0. */
  readonly number: number;
  readonly topic: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  };
  readonly response: {
    readonly status: number;
    readonly contentType: string | null;
    /** The body as it was printed; absent for a file. */
    readonly body?: string;
  };
}

/** The recorded exchanges in their order, or undefined where they are missing. */
export async function recordedExchanges(): Promise<Exchange[] | undefined> {
  const file = await sharedData("qdrant-1.18.3-exchanges.jsonl");
  if (file === undefined) return undefined;
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  return lines.map((line, number) => ({ ...(JSON.parse(line) as Omit<Exchange, "number">), number }));
}
