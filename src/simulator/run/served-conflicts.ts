/**
 * What gateways served last of each project: pairs of a name and a serial for which live nodes show different pages. Nothing is
 * said of liars.
 */
import type { ModelEvent } from '../model/model-event.ts';

interface Served {
  /** Name and serial. */
  readonly pair: string;
  readonly content: string;
}

export class ServedConflicts {
  readonly #isByzantine: (fault: string) => boolean;
  readonly #liars = new Set<number>();
  /** By node and project. */
  readonly #last = new Map<number, Map<string, Served>>();
  /** By pair and content: nodes. */
  readonly #shown = new Map<string, Map<string, number>>();
  /** Pairs that are shown with different digests now. */
  count = 0;

  constructor(isByzantine: (fault: string) => boolean) {
    this.#isByzantine = isByzantine;
  }

  /** Whether {@link count} may be another now. */
  observe(event: ModelEvent): boolean {
    switch (event.kind) {
      case 'fault-began':
        if (!this.#isByzantine(event.fault)) return false;
        for (const node of event.hosts) {
          this.#liars.add(node);
          this.#forget(node);
        }
        return true;
      case 'node-down':
        this.#forget(event.node);
        return true;
      case 'page-served': {
        const { node, project, serial, content } = event;
        if (this.#liars.has(node)) return false;
        const last = this.#last.get(node) ?? new Map<string, Served>();
        this.#last.set(node, last);
        this.#hide(last.get(project));
        last.delete(project);
        if (serial === undefined || content === undefined) return true;
        const served = { pair: `${project} ${serial}`, content };
        last.set(project, served);
        this.#add(served, 1);
        return true;
      }
      default:
        return false;
    }
  }

  #forget(node: number): void {
    for (const served of this.#last.get(node)?.values() ?? []) this.#hide(served);
    this.#last.delete(node);
  }

  #hide(served: Served | undefined): void {
    if (served !== undefined) this.#add(served, -1);
  }

  #add({ pair, content }: Served, by: 1 | -1): void {
    const contents = this.#shown.get(pair) ?? new Map<string, number>();
    const before = contents.size;
    const nodes = (contents.get(content) ?? 0) + by;
    if (nodes === 0) contents.delete(content);
    else contents.set(content, nodes);
    if (contents.size === 0) this.#shown.delete(pair);
    else this.#shown.set(pair, contents);
    this.count += Number(contents.size > 1) - Number(before > 1);
  }
}
