import { randomUUID } from "node:crypto";

/** One proxy of Toxiproxy (https://github.com/Shopify/toxiproxy#http-api), on a free port. */
export class ToxicProxy {
  readonly url: string;
  readonly #api: string;

  constructor(api: string, url: string) {
    this.#api = api;
    this.url = url;
  }

  /** Between a free port and the HTTP server at `target`. */
  static async create(api: string, target: string): Promise<ToxicProxy> {
    const name = `proxy-${randomUUID()}`;
    const created = await call(`${api}/proxies`, "POST", {
      name,
      listen: "127.0.0.1:0",
      upstream: new URL(target).host,
      enabled: true,
    });
    return new ToxicProxy(`${api}/proxies/${name}`, `http://${String(created["listen"])}`);
  }

  /** One toxic a stream; a second one of the same stream replaces it after `heal`. */
  async poison(
    stream: "upstream" | "downstream",
    type: string,
    attributes: Record<string, number>,
  ): Promise<void> {
    await call(`${this.#api}/toxics`, "POST", { name: stream, type, stream, attributes });
  }

  /** Takes every toxic away. */
  async heal(): Promise<void> {
    const proxy = await call(this.#api, "GET");
    const toxics = proxy["toxics"] as readonly { name: string }[];
    for (const { name } of toxics) await call(`${this.#api}/toxics/${name}`, "DELETE");
  }

  /** Off: connections are refused, and those that were open are cut. */
  async enable(enabled: boolean): Promise<void> {
    await call(this.#api, "POST", { enabled });
  }
}

async function call(url: string, method: string, body?: object): Promise<Record<string, unknown>> {
  const answer = await fetch(url, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`Toxiproxy says ${answer.status} to ${method} ${url}: ${text}`);
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}
