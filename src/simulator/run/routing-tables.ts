/**
 * Whom the routing tables of the DHT name, as their nodes tell it, and which of those entries lead nowhere: the peer does not
 * run, or a fault parts the two. Look-ups pay a time-out for each of them.
 */
import type { Facts } from '../../core/facts.ts';
import type { ModelEvent } from '../model/model-event.ts';
import type { Links } from '../scenario/links.ts';

export interface RoutingTablesOptions {
  /** After the warm-up, of so many microseconds. */
  readonly links: Pick<Links, 'mode' | 'nextChange'>;
  readonly warmup: number;
}

export class RoutingTables {
  readonly #options: RoutingTablesOptions;
  readonly #nodeOf = new Map<string, number>();
  /** Of live nodes. */
  readonly #tables = new Map<number, Set<string>>();
  #entries = 0;
  /** undefined: to be counted anew, since somebody came or went. */
  #stale: number | undefined = 0;
  /** When it last was. */
  #countedAt = 0;

  constructor(options: RoutingTablesOptions) {
    this.#options = options;
  }

  /** `at`: the kernel's microseconds. Returns whether what is told of below may have changed. */
  observe(at: number, event: ModelEvent): boolean {
    switch (event.kind) {
      case 'node-up':
        this.#nodeOf.set(event.peerId, event.node);
        if (!this.#tables.has(event.node)) this.#tables.set(event.node, new Set());
        this.#stale = undefined;
        return true;
      case 'node-down':
        this.#entries -= this.#tables.get(event.node)?.size ?? 0;
        this.#tables.delete(event.node);
        this.#stale = undefined;
        return true;
      case 'fault-began':
      case 'fault-ended':
        return true;
      case 'fact': {
        const { peerId } = event.fact as Facts['dht:peer-added'];
        if (event.name === 'dht:peer-added') return this.#added(at, event.node, peerId);
        return event.name === 'dht:peer-removed' && this.#removed(at, event.node, peerId);
      }
      default:
        return false;
    }
  }

  /** Entries a live node. */
  get meanSize(): number | undefined {
    return this.#tables.size === 0 ? undefined : this.#entries / this.#tables.size;
  }

  /** Of all entries those that lead nowhere now. */
  staleShare(at: number): number | undefined {
    if (this.#entries === 0) return undefined;
    return this.#staleEntries(at) / this.#entries;
  }

  /** A node tells of peers before it is up itself. */
  #added(at: number, node: number, peerId: string): boolean {
    const table = this.#tables.get(node) ?? new Set<string>();
    this.#tables.set(node, table);
    if (table.has(peerId)) return false;
    const stale = this.#staleEntries(at);
    table.add(peerId);
    this.#entries++;
    this.#stale = stale + this.#countOne(at, node, peerId);
    return true;
  }

  #removed(at: number, node: number, peerId: string): boolean {
    const stale = this.#staleEntries(at);
    if (this.#tables.get(node)?.delete(peerId) !== true) return false;
    this.#entries--;
    this.#stale = stale - this.#countOne(at, node, peerId);
    return true;
  }

  #staleEntries(at: number): number {
    const { links, warmup } = this.#options;
    const cutAt = links.nextChange(this.#countedAt - warmup);
    if (this.#stale === undefined || (cutAt !== undefined && cutAt <= at - warmup)) {
      this.#countedAt = at;
      this.#stale = 0;
      for (const [node, table] of this.#tables)
        for (const peerId of table) this.#stale += this.#countOne(at, node, peerId);
    }
    return this.#stale;
  }

  /** 1: it leads nowhere. */
  #countOne(at: number, node: number, peerId: string): 0 | 1 {
    const { links, warmup } = this.#options;
    const other = this.#nodeOf.get(peerId);
    const now = at - warmup;
    const leads =
      other !== undefined &&
      this.#tables.has(other) &&
      links.mode(node, other, now) === 'up' &&
      links.mode(other, node, now) === 'up';
    return leads ? 0 : 1;
  }
}
