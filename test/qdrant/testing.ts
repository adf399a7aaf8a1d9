/** What the tests beside it share: a server, and collections with a prefix of their own that go away again. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { QdrantServer } from "../engines/qdrant/index.ts";
import type { Observer } from "../../src/domain/observer.ts";
import { silentObserver } from "../../src/domain/observer.ts";
import { systemClock } from "../../src/util/clock/clock.ts";
import type { Store, StoreContext } from "../../src/stores/store.ts";
import { schema } from "../../src/stores/qdrant/config.ts";
import type { QdrantConfig, QdrantSettings } from "../../src/stores/qdrant/config.ts";
import { qdrant } from "../../src/stores/qdrant/index.ts";

/** Names that no server has otherwise; a suite that ran on a real one and was killed can be told by them. */
export function freshPrefix(): string {
  return `memkeep-test-${randomBytes(4).toString("hex")}-`;
}

/** A part of a server: everything whose name begins with a prefix. Disposing drops that and nothing else. */
export class Place implements AsyncDisposable {
  readonly server: Pick<QdrantServer, "url" | "apiKey" | "process">;
  readonly prefix: string;
  readonly #folders: string[] = [];

  constructor(server: Pick<QdrantServer, "url" | "apiKey" | "process">, prefix: string = freshPrefix()) {
    this.server = server;
    this.prefix = prefix;
  }

  /** The text of the server's answer, without its time; rejects when it says no. Bodies are texts, since numbers matter. */
  async ask(method: string, path: string, body?: string): Promise<string> {
    const { url, apiKey } = this.server;
    const answer = await fetch(url + path, {
      method,
      headers: { "content-type": "application/json", ...(apiKey === undefined ? {} : { "api-key": apiKey }) },
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text.replace(/,"time":[^,}]+\}$/, "}");
  }

  /** The path of a collection. */
  path(name: string): string {
    return `/collections/${encodeURIComponent(this.prefix + name)}`;
  }

  async create(name: string, body: string): Promise<void> {
    await this.ask("PUT", this.path(name), body);
  }

  async upsert(name: string, points: string, shardKey?: string): Promise<void> {
    const shard = shardKey === undefined ? "" : `,"shard_key":${shardKey}`;
    await this.ask("PUT", `${this.path(name)}/points?wait=true`, `{"points":[${points}]${shard}}`);
  }

  async alias(alias: string, name: string): Promise<void> {
    const action = { create_alias: { alias_name: this.prefix + alias, collection_name: this.prefix + name } };
    await this.ask("POST", "/collections/aliases", JSON.stringify({ actions: [action] }));
  }

  /** Everything of a collection as the server prints it. */
  async everything(name: string): Promise<string> {
    const body = '{"limit":50,"with_payload":true,"with_vector":true}';
    return this.ask("POST", `${this.path(name)}/points/scroll`, body);
  }

  /** Collections and aliases of this place, by their whole names. */
  async names(): Promise<{ collections: string[]; aliases: string[] }> {
    const { result } = JSON.parse(await this.ask("GET", "/collections")) as {
      result: { collections: { name: string }[] };
    };
    const listed = JSON.parse(await this.ask("GET", "/aliases")) as {
      result: { aliases: { alias_name: string }[] };
    };
    const isOwn = (name: string): boolean => name.startsWith(this.prefix);
    return {
      collections: result.collections.map(({ name }) => name).filter(isOwn),
      aliases: listed.result.aliases.map(({ alias_name }) => alias_name).filter(isOwn),
    };
  }

  async dropAll(): Promise<void> {
    for (const name of (await this.names()).collections) {
      await this.ask("DELETE", `/collections/${encodeURIComponent(name)}`);
    }
  }

  store(config: Partial<QdrantSettings> = {}, context: StoreContext = this.context()): Store {
    return qdrant.connect(this.config(config), context);
  }

  config(config: Partial<QdrantSettings> = {}): QdrantConfig {
    const { url, apiKey } = this.server;
    return schema.parse({ url, prefix: this.prefix, ...(apiKey === undefined ? {} : { apiKey }), ...config });
  }

  context(options: { observer?: Observer; signal?: AbortSignal } = {}): StoreContext {
    return {
      name: "memory",
      clock: systemClock,
      observer: options.observer ?? silentObserver,
      spoolFolder: this.folder(),
      signal: options.signal ?? new AbortController().signal,
    };
  }

  /** A new folder; gone with the place. */
  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), "memkeep-qdrant-"));
    this.#folders.push(folder);
    return folder;
  }

  /** A target for `--into` on the same server, and the place that it makes. */
  beside(): { target: string; place: Place } {
    const place = new Place(this.server);
    return { target: `${this.server.url.replace(/^http/, "qdrant")}/?prefix=${place.prefix}`, place };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dropAll();
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }
}
