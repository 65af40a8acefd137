/**
 * The graph of live nodes and their connections, from what nodes tell and what the faults cut: who can hear whom, since when
 * each node is in one component with enough publishers, and how soon after a heal the graph was whole again. Both ends
 * tell of a connection, in their own time; it is one while both have it.
 */
import { limits } from '../../core/limits.ts';
import type { Facts } from '../../core/facts.ts';
import type { ModelEvent } from '../model/model-event.ts';
import type { FaultHosts } from '../scenario/fault-hosts.ts';
import { cuts, type Links } from '../scenario/links.ts';
import { LinkGraph } from './link-graph.ts';

export interface TopologyOptions {
  readonly publishers: readonly number[];
  /** How many of them a node needs. */
  readonly enough: number;
  /** Those that cut links. */
  readonly cuts: readonly FaultHosts[];
  /** After the warm-up, of so many microseconds. */
  readonly links: Pick<Links, 'mode' | 'nextChange'>;
  readonly warmup: number;
}

interface Shape {
  readonly at: number;
  readonly whole: boolean;
  /** By cut: connections that it goes through. */
  readonly crossing: readonly number[];
}

export class Topology {
  readonly #options: TopologyOptions;
  readonly #nodeOf = new Map<string, number>();
  readonly #peerIdOf = new Map<number, string>();
  /** By live node, the peers that it says it has. */
  readonly #told = new Map<number, Set<string>>();
  #entries = 0;
  /** What both ends tell, and that of it which no fault cuts now. */
  readonly #connections = new LinkGraph();
  #usable = new LinkGraph();
  readonly #crossing: number[];
  readonly #connectedSince = new Map<number, number>();
  readonly #history: Shape[] = [];
  #changedAt: number | undefined;
  /** When a link comes or goes by a fault. */
  #nextCut: number | undefined;
  /** When one last did. */
  lastCut: number | undefined;
  #known: ReadonlyMap<number, number> = new Map();

  constructor(options: TopologyOptions) {
    this.#options = options;
    this.#crossing = options.cuts.map(() => 0);
    this.#nextCut = this.#cutAfter(-1);
  }

  observe(at: number, event: ModelEvent): void {
    if (this.#changedAt !== undefined && at > this.#changedAt) this.#look(this.#changedAt);
    while (this.#nextCut !== undefined && at >= this.#nextCut) this.#cut(this.#nextCut);
    if (this.#note(at, event)) this.#changedAt = at;
  }

  /** Since when the node could hear enough publishers through others, without a break; undefined: it cannot. */
  connectedSince(node: number): number | undefined {
    this.#settle();
    return this.#connectedSince.get(node);
  }

  /** Live nodes by component, over what no fault cuts. The same object while it is the same. */
  get components(): ReadonlyMap<number, number> {
    this.#settle();
    return this.#usable.components;
  }

  /** Connections that both ends tell of. */
  get connections(): number {
    return this.#connections.links;
  }

  isConnected(a: number, b: number): boolean {
    return this.#connections.isLinked(a, b);
  }

  /** Of the connections that live nodes think they have, those whose other end is gone, has none, or is cut off. */
  get staleShare(): number | undefined {
    return this.#entries === 0 ? undefined : 1 - (2 * this.#usable.links) / this.#entries;
  }

  /**
   * How long after the heal the graph was connected, with half of the connections across the cut that were there before it,
   * for 30 s; undefined: not by `end`.
   */
  wholeAfter(fault: string, cutAt: number, heal: number, end: number): number | undefined {
    const cut = this.#options.cuts.findIndex((one) => one.fault.id === fault);
    this.#settle();
    const before = this.#history.findLast(({ at }) => at <= cutAt)?.crossing[cut] ?? 0;
    const good = (shape: Shape): boolean => shape.whole && (shape.crossing[cut] ?? 0) * 2 >= before;
    const start = Math.max(
      0,
      this.#history.findLastIndex(({ at }) => at <= heal),
    );
    let since: number | undefined;
    for (const shape of this.#history.slice(start)) {
      const at = Math.max(heal, shape.at);
      if (since !== undefined && at - since >= limits.scenario.hold * 1000) return since - heal;
      since = good(shape) ? (since ?? at) : undefined;
    }
    return since !== undefined && end - since >= limits.scenario.hold * 1000 ? since - heal : undefined;
  }

  /** Whether the graph changed. */
  #note(at: number, event: ModelEvent): boolean {
    switch (event.kind) {
      case 'node-up':
        this.#know(at, event.node, event.peerId);
        return true;
      case 'node-down':
        return this.#end(event.node);
      case 'fact': {
        const { peerId } = event.fact as Facts['peer:connected'];
        if (event.name === 'peer:connected') return this.#connected(at, event.node, peerId);
        return event.name === 'peer:disconnected' && this.#disconnected(event.node, peerId);
      }
      default:
        return false;
    }
  }

  /** Connections may be told of before it is. */
  #know(at: number, node: number, peerId: string): void {
    const own = this.#begin(node);
    if (this.#peerIdOf.has(node)) return;
    this.#nodeOf.set(peerId, node);
    this.#peerIdOf.set(node, peerId);
    for (const [other, told] of this.#told)
      if (told.has(peerId) && own.has(this.#peerIdOf.get(other) ?? '')) this.#join(at, node, other);
  }

  #begin(node: number): Set<string> {
    const known = this.#told.get(node) ?? new Set<string>();
    this.#told.set(node, known);
    this.#connections.add(node);
    this.#usable.add(node);
    return known;
  }

  #end(node: number): boolean {
    const told = this.#told.get(node);
    if (told === undefined) return false;
    for (const peerId of told) this.#disconnected(node, peerId);
    this.#told.delete(node);
    this.#connections.remove(node);
    this.#usable.remove(node);
    return true;
  }

  #connected(at: number, node: number, peerId: string): boolean {
    const told = this.#begin(node);
    if (told.has(peerId)) return false;
    told.add(peerId);
    this.#entries++;
    const other = this.#nodeOf.get(peerId);
    if (other === undefined || this.#told.get(other)?.has(this.#peerIdOf.get(node) ?? '') !== true)
      return false;
    this.#join(at, node, other);
    return true;
  }

  #join(at: number, a: number, b: number): void {
    if (!this.#connections.link(a, b)) return;
    this.#countCrossing(a, b, 1);
    if (this.#isUp(a, b, at)) this.#usable.link(a, b);
  }

  #disconnected(node: number, peerId: string): boolean {
    if (this.#told.get(node)?.delete(peerId) !== true) return false;
    this.#entries--;
    const other = this.#nodeOf.get(peerId);
    if (other === undefined || !this.#connections.unlink(node, other)) return false;
    this.#countCrossing(node, other, -1);
    this.#usable.unlink(node, other);
    return true;
  }

  #countCrossing(a: number, b: number, by: number): void {
    for (const [index, cut] of this.#options.cuts.entries())
      if (cuts(cut, a, b) || cuts(cut, b, a)) this.#crossing[index] = (this.#crossing[index] ?? 0) + by;
  }

  #isUp(a: number, b: number, at: number): boolean {
    const { links, warmup } = this.#options;
    return links.mode(a, b, at - warmup) === 'up' && links.mode(b, a, at - warmup) === 'up';
  }

  /** A fault cut links at this instant, or gave some back. */
  #cut(at: number): void {
    const usable = new LinkGraph();
    for (const node of this.#told.keys()) usable.add(node);
    for (const [a, b] of this.#connections.all()) if (this.#isUp(a, b, at)) usable.link(a, b);
    this.#usable = usable;
    this.lastCut = at;
    this.#nextCut = this.#cutAfter(at - this.#options.warmup);
    this.#look(at);
  }

  #cutAfter(time: number): number | undefined {
    const { links, warmup } = this.#options;
    const next = links.nextChange(time);
    return next === undefined ? undefined : next + warmup;
  }

  #settle(): void {
    if (this.#changedAt !== undefined) this.#look(this.#changedAt);
  }

  #look(at: number): void {
    this.#changedAt = undefined;
    const { components } = this.#usable;
    const last = this.#history.at(-1);
    if (components !== this.#known) this.#noteConnected(at, components);
    else if (last?.crossing.every((count, index) => count === this.#crossing[index]) === true) return;
    const whole = components === this.#known && last ? last.whole : new Set(components.values()).size <= 1;
    this.#known = components;
    this.#history.push({ at, whole, crossing: [...this.#crossing] });
  }

  #noteConnected(at: number, components: ReadonlyMap<number, number>): void {
    const { publishers, enough } = this.#options;
    const heard = new Map<number, number>();
    for (const publisher of publishers) {
      const component = components.get(publisher);
      if (component !== undefined) heard.set(component, (heard.get(component) ?? 0) + 1);
    }
    for (const node of this.#connectedSince.keys())
      if (!components.has(node)) this.#connectedSince.delete(node);
    for (const [node, component] of components) {
      if ((heard.get(component) ?? 0) < enough) this.#connectedSince.delete(node);
      else if (!this.#connectedSince.has(node)) this.#connectedSince.set(node, at);
    }
  }
}
