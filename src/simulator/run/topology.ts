/**
 * The graph of live nodes and their connections, from what nodes tell: since when each node is in one component with enough
 * publishers, and how soon after a heal the graph was whole again.
 */
import { limits } from '../../core/limits.ts';
import type { Facts } from '../../core/facts.ts';
import type { ModelEvent } from '../model/model-event.ts';
import type { FaultHosts } from '../scenario/fault-hosts.ts';

export interface TopologyOptions {
  readonly publishers: readonly number[];
  /** How many of them a node needs. */
  readonly enough: number;
  /** Those that cut links. */
  readonly cuts: readonly FaultHosts[];
}

interface Shape {
  readonly at: number;
  readonly whole: boolean;
  /** By cut: connections between its groups. */
  readonly crossing: readonly number[];
}

export class Topology {
  readonly #options: TopologyOptions;
  readonly #nodeOf = new Map<string, number>();
  /** Of live nodes; both ends tell of a connection, in their own time. */
  readonly #peers = new Map<number, Set<string>>();
  readonly #connectedSince = new Map<number, number>();
  readonly #history: Shape[] = [];
  #changedAt: number | undefined;

  constructor(options: TopologyOptions) {
    this.#options = options;
  }

  observe(at: number, event: ModelEvent): void {
    if (this.#changedAt !== undefined && at > this.#changedAt) this.#look(this.#changedAt);
    if (!this.#note(event)) return;
    this.#changedAt = at;
  }

  /** Since when the node could hear enough publishers through others, without a break; undefined: it cannot. */
  connectedSince(node: number): number | undefined {
    if (this.#changedAt !== undefined) this.#look(this.#changedAt);
    return this.#connectedSince.get(node);
  }

  /**
   * How long after the heal the graph was connected, with half of the connections across the cut that were there before it,
   * for 30 s; undefined: not by `end`.
   */
  wholeAfter(fault: string, cutAt: number, heal: number, end: number): number | undefined {
    const cut = this.#options.cuts.findIndex((one) => one.fault.id === fault);
    if (this.#changedAt !== undefined) this.#look(this.#changedAt);
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
  #note(event: ModelEvent): boolean {
    switch (event.kind) {
      case 'node-up':
        this.#nodeOf.set(event.peerId, event.node);
        this.#peersOf(event.node);
        return true;
      case 'node-down':
        return this.#peers.delete(event.node);
      case 'fact': {
        const peerId = (event.fact as Facts['peer:connected']).peerId;
        if (event.name === 'peer:connected') this.#peersOf(event.node).add(peerId);
        else if (event.name === 'peer:disconnected') this.#peers.get(event.node)?.delete(peerId);
        else return false;
        return true;
      }
      default:
        return false;
    }
  }

  #peersOf(node: number): Set<string> {
    const known = this.#peers.get(node) ?? new Set<string>();
    this.#peers.set(node, known);
    return known;
  }

  #look(at: number): void {
    this.#changedAt = undefined;
    const links = this.#links();
    const components = componentsOf([...this.#peers.keys()], links);
    const { publishers, enough, cuts } = this.#options;
    const heard = new Map<number, number>();
    for (const publisher of publishers) {
      const component = components.get(publisher);
      if (component !== undefined) heard.set(component, (heard.get(component) ?? 0) + 1);
    }
    for (const node of this.#connectedSince.keys()) {
      if (!components.has(node)) this.#connectedSince.delete(node);
    }
    for (const [node, component] of components) {
      if ((heard.get(component) ?? 0) < enough) this.#connectedSince.delete(node);
      else if (!this.#connectedSince.has(node)) this.#connectedSince.set(node, at);
    }
    const crossing = cuts.map(
      ({ membership }) =>
        links.filter(([a, b]) => isAcross(membership.groupOf(a), membership.groupOf(b))).length,
    );
    this.#history.push({ at, whole: new Set(components.values()).size <= 1, crossing });
  }

  /** Connections that both ends have. */
  #links(): [number, number][] {
    const peers = new Map(
      [...this.#peers].map(([node, ids]) => [node, new Set([...ids].map((id) => this.#nodeOf.get(id)))]),
    );
    return [...peers].flatMap(([node, others]) =>
      [...others].flatMap((other): [number, number][] =>
        other !== undefined && node < other && peers.get(other)?.has(node) === true ? [[node, other]] : [],
      ),
    );
  }
}

function isAcross(a: number | undefined, b: number | undefined): boolean {
  return a !== b;
}

/** By node the smallest node of its component. */
function componentsOf(
  nodes: readonly number[],
  links: readonly (readonly [number, number])[],
): Map<number, number> {
  const parent = new Map(nodes.map((node) => [node, node]));
  const rootOf = (node: number): number => {
    let root = node;
    for (let next = parent.get(root); next !== undefined && next !== root; next = parent.get(root))
      root = next;
    parent.set(node, root);
    return root;
  };
  for (const [a, b] of links) {
    const [left, right] = [rootOf(a), rootOf(b)];
    parent.set(Math.max(left, right), Math.min(left, right));
  }
  return new Map(nodes.map((node) => [node, rootOf(node)]));
}
