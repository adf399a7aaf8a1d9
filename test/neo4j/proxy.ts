/** A proxy of Toxiproxy between memkeep and a server on loopback. */
export class Proxy {
  /** Host and port where it listens. */
  readonly host: string;
  readonly #api: string;

  private constructor(api: string, host: string) {
    this.#api = api;
    this.host = host;
  }

  static async create(api: string, upstream: string): Promise<Proxy> {
    const name = `neo4j-${process.pid}`;
    const created = await call(`${api}/proxies`, "POST", {
      name,
      listen: "127.0.0.1:0",
      upstream,
      enabled: true,
    });
    return new Proxy(`${api}/proxies/${name}`, String(created["listen"]));
  }

  /** Cuts every connection after so many bytes. */
  async limit(stream: "upstream" | "downstream", bytes: number): Promise<void> {
    const attributes = { bytes };
    await call(`${this.#api}/toxics`, "POST", { name: stream, type: "limit_data", stream, attributes });
  }

  async heal(): Promise<void> {
    const { toxics } = (await call(this.#api, "GET")) as { toxics: readonly { name: string }[] };
    for (const { name } of toxics) await call(`${this.#api}/toxics/${name}`, "DELETE");
  }

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
