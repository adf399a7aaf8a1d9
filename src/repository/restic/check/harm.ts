/**
 * From damage to the snapshots that it harms: remembers which tree names which, and follows it upwards when there is
 * something to follow.
 */
import type { Problem } from "./damage.ts";

export class Harm {
  readonly #parents: number[] = [];
  readonly #children: number[] = [];
  /** Snapshots by the entry of their tree. */
  readonly #roots = new Map<number, string[]>();
  readonly #direct = new Map<Problem, Set<number>>();

  addRoot(tree: number, snapshot: string): void {
    const snapshots = this.#roots.get(tree);
    if (snapshots) snapshots.push(snapshot);
    else this.#roots.set(tree, [snapshot]);
  }

  get roots(): Iterable<number> {
    return this.#roots.keys();
  }

  addEdge(parent: number, child: number): void {
    this.#parents.push(parent);
    this.#children.push(child);
  }

  /** A tree, or something that it names, cannot be read because of the problem. */
  addDirect(tree: number, problem: Problem): void {
    const trees = this.#direct.get(problem);
    if (trees) trees.add(tree);
    else this.#direct.set(problem, new Set([tree]));
  }

  /** Gives every problem the snapshots from which it can be met. */
  resolve(): void {
    if (this.#direct.size === 0) return;
    const above = new Map<number, number[]>();
    for (const [edge, child] of this.#children.entries()) {
      const parents = above.get(child);
      if (parents) parents.push(this.#parents[edge]!);
      else above.set(child, [this.#parents[edge]!]);
    }
    for (const [problem, trees] of this.#direct) {
      const met = new Set(trees);
      for (const tree of met) {
        for (const snapshot of this.#roots.get(tree) ?? []) problem.snapshots.add(snapshot);
        // A set gives out what is added to it while it is being walked.
        for (const parent of above.get(tree) ?? []) met.add(parent);
      }
    }
  }
}
