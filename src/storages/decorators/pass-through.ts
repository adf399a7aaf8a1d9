import type { ByteRange, Storage, StorageEntry, StorageProperties } from "../storage.ts";

/** A decorator that changes nothing yet: it hands every call on. */
export class PassThroughStorage implements Storage {
  protected readonly inner: Storage;

  constructor(inner: Storage) {
    this.inner = inner;
  }

  get location(): string {
    return this.inner.location;
  }

  get properties(): StorageProperties {
    return this.inner.properties;
  }

  list(prefix: string): AsyncIterable<StorageEntry> {
    return this.inner.list(prefix);
  }

  read(name: string, range?: ByteRange, into?: Uint8Array): Promise<Buffer> {
    return this.inner.read(name, range, into);
  }

  write(name: string, parts: readonly Uint8Array[], sha256?: string): Promise<void> {
    return this.inner.write(name, parts, sha256);
  }

  remove(name: string): Promise<void> {
    return this.inner.remove(name);
  }

  stat(name: string): Promise<{ sizeBytes: number } | undefined> {
    return this.inner.stat(name);
  }

  async *oddities(): AsyncIterable<string> {
    if (this.inner.oddities) yield* this.inner.oddities();
  }

  sweep(): Promise<number> {
    return this.inner.sweep();
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
