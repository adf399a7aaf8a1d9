/** A running Qdrant: it says who it is without a key, and which collections it has, where it asks for none. */
import { addressOf, type FoundStore } from "../found.ts";
import type { Environment } from "../../environment.ts";
import { greetingMs } from "./greeting.ts";

/** A sentence where there is a server that cannot be used. */
export async function findQdrant(
  port: number,
  environment: Environment,
): Promise<FoundStore | string | undefined> {
  const url = `http://127.0.0.1:${port}`;
  const about = await ask(url);
  if (!isRecord(about?.body) || !String(about.body["title"]).startsWith("qdrant")) return undefined;
  const collections = await ask(`${url}/collections`);
  const count = countOf(collections?.body);
  if (count === 0) return `On port ${port} a Qdrant is running, which holds no collection yet.`;
  const asksKey = collections?.status === 401 || collections?.status === 403;
  const hasKey = Boolean(environment["QDRANT_API_KEY"]);
  return {
    name: "vectors",
    kind: "qdrant",
    entry: { url, ...(asksKey ? { apiKey: "${QDRANT_API_KEY}" } : {}) },
    where: `Qdrant is running on port ${port}${count === undefined ? "" : `, with ${count === 1 ? "1 collection" : `${count} collections`}`}`,
    address: addressOf("127.0.0.1", port),
    guessed: [],
    lacking: asksKey && !hasKey ? "it asks for a key: QDRANT_API_KEY must be set" : undefined,
  };
}

async function ask(url: string): Promise<{ status: number; body: unknown } | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(greetingMs), redirect: "error" });
    const text = await answer.text();
    return { status: answer.status, body: answer.ok ? (JSON.parse(text) as unknown) : undefined };
  } catch {
    // Nobody listens, or somebody who does not speak so.
    return undefined;
  }
}

function countOf(body: unknown): number | undefined {
  const result = isRecord(body) ? body["result"] : undefined;
  const collections = isRecord(result) ? result["collections"] : undefined;
  return Array.isArray(collections) ? collections.length : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === "object";
}
