/** Gathers what is wrong, file by file, and which entries of the index cannot be read because of it. */
import type { BlobIndex } from "../index/blob-index.ts";
import { packName } from "../pack/pack-name.ts";
import { Bitmap } from "../use/bitmap.ts";

export interface Problem {
  readonly file: string;
  readonly texts: string[];
  remedy: string | undefined;
  /** Snapshots that are harmed without a way through their trees. */
  readonly snapshots: Set<string>;
}

/** What mends a pack, as far as anything does. */
export const packRemedy =
  "Run `memkeep repository repair`: it saves what is whole in that pack. A backup made afterwards stores again what is lost, if its source still has it.";
export const lostRemedy =
  "They are lost, unless another copy of the repository has them or the next backup stores them anew. `memkeep forget SNAPSHOT` removes a snapshot that cannot be restored whole.";
export const indexRemedy = "Run `memkeep repository repair` to rebuild the index from the packs.";

export class Damage {
  readonly #index: BlobIndex;
  readonly #problems = new Map<string, Problem>();
  readonly #bad: Bitmap;

  constructor(index: BlobIndex) {
    this.#index = index;
    this.#bad = new Bitmap(index.size);
  }

  get problems(): readonly Problem[] {
    return [...this.#problems.values()];
  }

  /** Notes one more thing about a file. */
  add(file: string, text: string, remedy: string | undefined, snapshots: Iterable<string> = []): Problem {
    let problem = this.#problems.get(file);
    if (!problem) {
      problem = { file, texts: [], remedy, snapshots: new Set() };
      this.#problems.set(file, problem);
    }
    if (!problem.texts.includes(text)) problem.texts.push(text);
    for (const snapshot of snapshots) problem.snapshots.add(snapshot);
    return problem;
  }

  /** Notes damage of an indexed pack, and the entries that it makes unreadable. */
  addPack(pack: number, text: string, badEntries: Iterable<number>): void {
    this.add(packName(this.#index.packId(pack)), text, packRemedy);
    for (const entry of badEntries) this.#bad.add(entry);
  }

  hasPack(pack: number): boolean {
    return this.#problems.has(packName(this.#index.packId(pack)));
  }

  /** The problem that keeps an entry from being read, if one is known. */
  of(entry: number): Problem | undefined {
    if (!this.#bad.has(entry)) return undefined;
    return this.#problems.get(packName(this.#index.packId(this.#index.packOf(entry))));
  }
}
