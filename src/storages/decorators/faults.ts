/**
 * Breaks a storage on purpose, by a script, so that tests can sweep: run once to count the operations, then once for
 * every operation and every kind of fault.
 */
import { MemkeepError } from "../../domain/errors.ts";
import { systemClock } from "../../util/clock/clock.ts";
import type { Clock } from "../../util/clock/clock.ts";
import type { ByteRange, Storage, StorageEntry } from "../storage.ts";
import { PassThroughStorage } from "./pass-through.ts";

export type StorageOperation = "list" | "read" | "write" | "remove" | "stat" | "sweep";

export type Fault =
  /** Rejects with `error`; a transient `STORAGE_FAILED` when left out. With `after`, what was asked for happened all the same. */
  | { readonly kind: "fail"; readonly error?: Error; readonly after?: boolean }
  /** Waits on the clock, then goes on. */
  | { readonly kind: "delay"; readonly delayMs: number }
  /** Stores, hands out or lists only the first `units` bytes or entries, and says that all is well. */
  | { readonly kind: "short"; readonly units: number }
  /** Flips one bit of the byte at `offset` (counted from the end when negative) of what is stored or handed out. */
  | { readonly kind: "corrupt"; readonly offset: number }
  /** Stores nothing and says that all is well; to a reader, the entry is not there. */
  | { readonly kind: "vanish" }
  /** The machine died: this operation and all later ones fail. With `after`, this one still had its effect. */
  | { readonly kind: "stop"; readonly after?: boolean };

export type ScriptedFault = Fault & {
  /** The operation that it hits, from 1. With `on`, only operations of that kind are counted. */
  readonly at: number;
  readonly on?: StorageOperation;
};

export class FaultyStorage extends PassThroughStorage {
  /** What was asked for so far, such as `write data/ab/…`. Its length is the number of operations. */
  readonly history: string[] = [];
  readonly #script: readonly ScriptedFault[];
  readonly #clock: Clock;
  readonly #counts = new Map<StorageOperation, number>();
  #stopped = false;

  constructor(inner: Storage, script: readonly ScriptedFault[] = [], clock: Clock = systemClock) {
    super(inner);
    this.#script = script;
    this.#clock = clock;
  }

  override async *list(prefix: string): AsyncIterable<StorageEntry> {
    const fault = await this.#before("list", prefix);
    if (fault?.kind === "vanish") return;
    let units = fault?.kind === "short" ? fault.units : Infinity;
    for await (const entry of this.inner.list(prefix)) {
      if (units-- <= 0) return;
      yield entry;
    }
    this.#after(fault);
  }

  override async read(name: string, range?: ByteRange): Promise<Buffer> {
    const fault = await this.#before("read", name);
    if (fault?.kind === "vanish") {
      throw new MemkeepError("STORAGE_MISSING", {
        tried: `read ${name} in ${this.location}`,
        happened: "there is no such entry (injected)",
      });
    }
    const bytes = await this.inner.read(name, range);
    this.#after(fault);
    return changed(bytes, fault);
  }

  override async write(name: string, parts: readonly Uint8Array[]): Promise<void> {
    const fault = await this.#before("write", name);
    if (fault?.kind === "vanish") return;
    const changes = fault?.kind === "short" || fault?.kind === "corrupt";
    await this.inner.write(name, changes ? [changed(Buffer.concat(parts), fault)] : parts);
    this.#after(fault);
  }

  override async remove(name: string): Promise<void> {
    const fault = await this.#before("remove", name);
    if (fault?.kind === "vanish") return;
    await this.inner.remove(name);
    this.#after(fault);
  }

  override async stat(name: string): Promise<{ sizeBytes: number } | undefined> {
    const fault = await this.#before("stat", name);
    if (fault?.kind === "vanish") return undefined;
    const found = await this.inner.stat(name);
    this.#after(fault);
    return found;
  }

  override async sweep(): Promise<number> {
    const fault = await this.#before("sweep", "");
    const count = await this.inner.sweep();
    this.#after(fault);
    return count;
  }

  /** Counts the operation, and fails or waits when the script says so. Returns the fault that is still to be done. */
  async #before(operation: StorageOperation, name: string): Promise<Fault | undefined> {
    this.history.push(`${operation} ${name}`);
    if (this.#stopped) throw this.#stop();
    const count = (this.#counts.get(operation) ?? 0) + 1;
    this.#counts.set(operation, count);
    const fault = this.#script.find(({ at, on }) =>
      on === undefined ? at === this.history.length : on === operation && at === count,
    );
    if (fault?.kind === "delay") await this.#clock.sleep(fault.delayMs);
    if (fault?.kind === "stop" || fault?.kind === "fail") {
      if (fault.kind === "stop") this.#stopped = true;
      if (fault.after !== true) throw this.#failure(fault);
    }
    return fault;
  }

  #after(fault: Fault | undefined): void {
    if (fault?.kind === "stop" || fault?.kind === "fail") throw this.#failure(fault);
  }

  #failure(fault: Fault & { kind: "stop" | "fail" }): Error {
    if (fault.kind === "stop") return this.#stop();
    return fault.error ?? injected(this.#tried(), "a passing failure was injected", true);
  }

  #stop(): Error {
    return injected(this.#tried(), "the storage was stopped for ever (injected)", false);
  }

  #tried(): string {
    return `${this.history.at(-1)} in ${this.location}`;
  }
}

function injected(tried: string, happened: string, transient: boolean): MemkeepError {
  return new MemkeepError("STORAGE_FAILED", { tried, happened, details: { transient } });
}

function changed(bytes: Buffer, fault: Fault | undefined): Buffer {
  if (fault?.kind === "short") return bytes.subarray(0, fault.units);
  const at = fault?.kind === "corrupt" ? bytes.at(fault.offset) : undefined;
  if (fault?.kind !== "corrupt" || at === undefined) return bytes;
  const copy = Buffer.from(bytes);
  copy[fault.offset < 0 ? bytes.length + fault.offset : fault.offset] = at ^ 1;
  return copy;
}
