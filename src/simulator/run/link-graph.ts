/**
 * An undirected graph of nodes that come and go, and its components: who can hear whom. Must always hold: components are those
 * of the links there are now; they are found anew only when a change may have joined or parted some.
 */

export class LinkGraph {
  readonly #neighbours = new Map<number, Set<number>>();
  /** By node the smallest node of its component; undefined: to be found. */
  #components: ReadonlyMap<number, number> | undefined = new Map();
  #links = 0;

  add(node: number): void {
    if (this.#neighbours.has(node)) return;
    this.#neighbours.set(node, new Set());
    this.#components = undefined;
  }

  remove(node: number): void {
    for (const other of this.#neighbours.get(node) ?? []) this.unlink(node, other);
    if (this.#neighbours.delete(node)) this.#components = undefined;
  }

  /** Of nodes that are there. Returns whether it is new. */
  link(a: number, b: number): boolean {
    const [ofA, ofB] = [this.#neighbours.get(a), this.#neighbours.get(b)];
    if (ofA === undefined || ofB === undefined || ofA.has(b)) return false;
    ofA.add(b);
    ofB.add(a);
    this.#links++;
    if (this.#components?.get(a) !== this.#components?.get(b)) this.#components = undefined;
    return true;
  }

  /** Returns whether it was there. */
  unlink(a: number, b: number): boolean {
    const [ofA, ofB] = [this.#neighbours.get(a), this.#neighbours.get(b)];
    if (ofA === undefined || ofB === undefined || !ofA.delete(b)) return false;
    ofB.delete(a);
    this.#links--;
    if (this.#components !== undefined && !this.#isJoined(a, b)) this.#components = undefined;
    return true;
  }

  isLinked(a: number, b: number): boolean {
    return this.#neighbours.get(a)?.has(b) === true;
  }

  get links(): number {
    return this.#links;
  }

  /** Each once. */
  *all(): Generator<readonly [number, number]> {
    for (const [a, others] of this.#neighbours) for (const b of others) if (a < b) yield [a, b];
  }

  /** The same object while nobody was joined or parted. */
  get components(): ReadonlyMap<number, number> {
    this.#components ??= this.#find();
    return this.#components;
  }

  /** Most links that go have a common neighbour that remains. */
  #isJoined(a: number, b: number): boolean {
    const goal = this.#neighbours.get(b);
    const seen = new Set([a]);
    for (const node of seen) {
      if (goal?.has(node) === true) return true;
      for (const next of this.#neighbours.get(node) ?? []) seen.add(next);
    }
    return false;
  }

  #find(): Map<number, number> {
    const found = new Map<number, number>();
    for (const start of [...this.#neighbours.keys()].sort((a, b) => a - b)) {
      if (found.has(start)) continue;
      const reached = new Set([start]);
      for (const node of reached) {
        found.set(node, start);
        for (const next of this.#neighbours.get(node) ?? []) reached.add(next);
      }
    }
    return found;
  }
}
