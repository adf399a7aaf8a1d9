/** The YAML language server that editors run, asked over its standard input and output. */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export interface Position {
  readonly line: number;
  readonly character: number;
}

/** JSON-RPC with `Content-Length` headers, as the Language Server Protocol says. */
export class LanguageServer implements Disposable {
  readonly #process = spawn(process.execPath, [serverPath(), "--stdio"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  readonly #waiting = new Map<number, (result: unknown) => void>();
  readonly #diagnosed = new Map<string, (diagnostics: { message: string }[]) => void>();
  #received = Buffer.alloc(0);
  #ids = 0;

  constructor() {
    this.#process.stdout.on("data", (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      for (let message = this.#next(); message; message = this.#next()) this.#take(message);
    });
  }

  async start(): Promise<void> {
    await this.ask("initialize", { processId: process.pid, rootUri: null, capabilities: {} });
    this.#tell("initialized", {});
  }

  /** Gives what the server finds wrong in the text. */
  open(uri: string, text: string): Promise<readonly { message: string }[]> {
    const found = new Promise<{ message: string }[]>((resolve) => this.#diagnosed.set(uri, resolve));
    this.#tell("textDocument/didOpen", { textDocument: { uri, languageId: "yaml", version: 1, text } });
    return found;
  }

  ask(method: string, params: unknown): Promise<unknown> {
    const id = ++this.#ids;
    const answer = new Promise((resolve) => this.#waiting.set(id, resolve));
    this.#send({ id, method, params });
    return answer;
  }

  #tell(method: string, params: unknown): void {
    this.#send({ method, params });
  }

  #send(message: object): void {
    const body = JSON.stringify({ jsonrpc: "2.0", ...message });
    this.#process.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  #next(): Message | undefined {
    const end = this.#received.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    const length = Number(/Content-Length: (\d+)/i.exec(this.#received.toString("latin1", 0, end))![1]);
    if (this.#received.length < end + 4 + length) return undefined;
    const body = this.#received.toString("utf8", end + 4, end + 4 + length);
    this.#received = this.#received.subarray(end + 4 + length);
    return JSON.parse(body) as Message;
  }

  #take({ id, method, params, result }: Message): void {
    if (method === "textDocument/publishDiagnostics") {
      this.#diagnosed.get(params!.uri!)?.(params!.diagnostics!);
    } else if (method === "workspace/configuration") {
      this.#send({
        id,
        result: params!.items!.map(() => ({ validate: true, hover: true, completion: true })),
      });
    } else if (method !== undefined && id !== undefined) {
      this.#send({ id, result: null });
    } else if (id !== undefined) {
      this.#waiting.get(id)?.(result);
    }
  }

  [Symbol.dispose](): void {
    this.#process.kill();
  }
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: {
    readonly uri?: string;
    readonly diagnostics?: { message: string }[];
    readonly items?: unknown[];
  };
  readonly result?: unknown;
}

function serverPath(): string {
  const manifest = createRequire(import.meta.url).resolve("yaml-language-server/package.json");
  return join(dirname(manifest), "bin", "yaml-language-server");
}
