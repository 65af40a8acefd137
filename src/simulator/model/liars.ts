/** Which nodes lie now, how, and since when. */
import type { Misbehaviour } from '../scenario/scenario.ts';

interface Lie {
  readonly behaviours: readonly Misbehaviour[];
  /** The upstream's serial when it began. */
  readonly serial: number;
}

export class Liars {
  readonly #lies = new Map<number, Map<string, Lie>>();

  begin(node: number, fault: string, lie: Lie): void {
    const lies = this.#lies.get(node) ?? new Map<string, Lie>();
    lies.set(fault, lie);
    this.#lies.set(node, lies);
  }

  end(node: number, fault: string): void {
    this.#lies.get(node)?.delete(fault);
  }

  does(node: number, behaviour: Misbehaviour): boolean {
    return this.#of(node).some(({ behaviours }) => behaviours.includes(behaviour));
  }

  /** Of the oldest lie; undefined: it is honest. */
  since(node: number): number | undefined {
    const serials = this.#of(node).map(({ serial }) => serial);
    return serials.length === 0 ? undefined : Math.min(...serials);
  }

  #of(node: number): Lie[] {
    return [...(this.#lies.get(node)?.values() ?? [])];
  }
}
