/** Which heads live nodes have (of every log the newest record whose map is here): how many differ, and how evenly. */
import type { Facts } from '../../core/facts.ts';
import type { ModelEvent } from '../model/model-event.ts';

export class HeadDivergence {
  /** By node, of each log; kept while it is down. */
  readonly #headOf = new Map<number, Map<string, number>>();
  /** Of live nodes, what they have now. */
  readonly #shown = new Map<number, string>();
  readonly #counts = new Map<string, number>();
  #squares = 0;

  /** Whether anything may be another now. */
  observe(event: ModelEvent): boolean {
    switch (event.kind) {
      case 'node-up':
        this.#show(event.node);
        return true;
      case 'node-down':
        this.#hide(event.node);
        return true;
      case 'node-wiped':
        this.#headOf.delete(event.node);
        return false;
      case 'fact': {
        if (event.name !== 'head:advanced') return false;
        const { origin, seq } = event.fact as Facts['head:advanced'];
        const head = this.#headOf.get(event.node) ?? new Map<string, number>();
        this.#headOf.set(event.node, head.set(origin, seq));
        // Its first life begins with facts.
        if (this.#shown.has(event.node)) this.#show(event.node);
        return true;
      }
      default:
        return false;
    }
  }

  /** Distinct ones; nodes without any have none. */
  get heads(): number {
    return this.#counts.size - (this.#counts.has('') ? 1 : 0);
  }

  /** 1 - sum((n_h / N)^2): 0 when all have the same, towards 1 when each has its own. Undefined without live nodes. */
  get divergence(): number | undefined {
    const { size } = this.#shown;
    return size === 0 ? undefined : 1 - this.#squares / size ** 2;
  }

  #show(node: number): void {
    const head = describe(this.#headOf.get(node));
    if (this.#shown.get(node) === head) return;
    this.#hide(node);
    this.#shown.set(node, head);
    this.#count(head, 1);
  }

  #hide(node: number): void {
    const head = this.#shown.get(node);
    if (head !== undefined && this.#shown.delete(node)) this.#count(head, -1);
  }

  #count(head: string, by: 1 | -1): void {
    const before = this.#counts.get(head) ?? 0;
    const after = before + by;
    this.#squares += after ** 2 - before ** 2;
    if (after === 0) this.#counts.delete(head);
    else this.#counts.set(head, after);
  }
}

function describe(head: ReadonlyMap<string, number> = new Map()): string {
  return [...head]
    .map(([origin, seq]) => `${origin} ${seq}`)
    .toSorted()
    .join('\n');
}
