/**
 * How publishers' records come to the nodes. Delivered: heard by gossip within 10 s of publication, the record itself or a later
 * head of its log, by a node that was live (which is: subscribed) throughout; the publisher is not asked. What a node got
 * without having heard of it so was repaired by anti-entropy. Liars neither count nor are counted.
 */
import type { Facts } from '../../core/facts.ts';
import type { ModelEvent } from '../model/model-event.ts';
import type { Counter } from '../results/run-result.ts';

const WITHIN = 10e6;

export interface DeliveryTruth {
  /** Live nodes by component, now. */
  components(): ReadonlyMap<number, number>;
  readonly isByzantine: (fault: string) => boolean;
}

interface Publication {
  readonly origin: string;
  readonly size: number;
  readonly publisher: number;
  readonly at: number;
  readonly components: ReadonlyMap<number, number>;
  /** Live since then. */
  readonly nodes: Map<number, 'waits' | 'heard'>;
}

interface Log {
  readonly publisher: number;
  /** Of its publications after the warm-up, ascending. */
  readonly sizes: number[];
}

export class Delivery {
  readonly #truth: DeliveryTruth;
  readonly #live = new Set<number>();
  readonly #liars = new Set<number>();
  readonly #logs = new Map<string, Log>();
  /** In order of time. */
  readonly #open: Publication[] = [];
  /** By node and log: the longest that was heard of by gossip, and what it has. */
  readonly #heard = new Map<string, number>();
  readonly #got = new Map<string, number>();
  readonly #seen = new Map<number, Set<string>>();
  readonly #pairs = { all: 0, delivered: 0, reachable: 0, deliveredReachable: 0 };
  readonly #gotCount = { all: 0, repaired: 0 };
  #copies = 0;
  #unique = 0;

  constructor(truth: DeliveryTruth) {
    this.#truth = truth;
  }

  /** `at`: microseconds after the warm-up. */
  observe(at: number, event: ModelEvent): void {
    while (this.#open[0] !== undefined && at > this.#open[0].at + WITHIN)
      this.#close(this.#open.shift() as Publication);
    switch (event.kind) {
      case 'node-up':
        this.#live.add(event.node);
        return;
      case 'node-down':
        this.#live.delete(event.node);
        for (const { nodes } of this.#open) nodes.delete(event.node);
        return;
      case 'node-wiped':
        for (const origin of this.#logs.keys()) this.#got.delete(`${event.node} ${origin}`);
        return;
      case 'fault-began':
        if (!this.#truth.isByzantine(event.fault)) return;
        for (const node of event.hosts) {
          this.#liars.add(node);
          for (const { nodes } of this.#open) nodes.delete(node);
        }
        return;
      case 'gossip-received':
        this.#receive(at, event);
        return;
      case 'fact':
        if (event.name === 'publisher:signed')
          this.#publish(at, event.node, event.fact as Facts['publisher:signed']);
        if (event.name === 'head:advanced') this.#get(event.node, event.fact as Facts['head:advanced']);
        return;
      default:
    }
  }

  /** The run is over: publications that had less than 10 s do not count. */
  finish(at: number): void {
    for (const publication of this.#open.splice(0))
      if (publication.at + WITHIN <= at) this.#close(publication);
  }

  get delivery(): number | undefined {
    const { all, delivered } = this.#pairs;
    return all === 0 ? undefined : delivered / all;
  }

  /** Of pairs that were in one component both at publication and 10 s later. */
  get deliveryReach(): number | undefined {
    const { reachable, deliveredReachable } = this.#pairs;
    return reachable === 0 ? undefined : deliveredReachable / reachable;
  }

  counters(): Counter[] {
    const { all, repaired } = this.#gotCount;
    const counter = (metric: string, value: number | undefined): Counter[] =>
      value === undefined ? [] : [{ metric, unit: '1', value }];
    return [
      ...counter('delivery', this.delivery),
      ...counter('delivery_reach', this.deliveryReach),
      ...counter('delivery.pairs', this.#pairs.all),
      ...counter('repair_ratio', all === 0 ? undefined : repaired / all),
      ...counter('duplicates', this.#unique === 0 ? undefined : (this.#copies - this.#unique) / this.#unique),
      ...counter('gossip_copies', this.#copies),
    ];
  }

  #publish(at: number, publisher: number, { origin, size }: Facts['publisher:signed']): void {
    const log = this.#logs.get(origin) ?? { publisher, sizes: [] };
    this.#logs.set(origin, log);
    if (at < 0 || this.#liars.has(publisher)) return;
    log.sizes.push(size);
    const others = [...this.#live].filter((node) => node !== publisher && !this.#liars.has(node));
    const nodes = new Map(others.map((node) => [node, 'waits'] as const));
    const components = this.#truth.components();
    this.#open.push({ origin, size, publisher, at, components, nodes });
  }

  #receive(at: number, event: Extract<ModelEvent, { kind: 'gossip-received' }>): void {
    const { node, message, head } = event;
    const seen = this.#seen.get(node) ?? new Set<string>();
    this.#seen.set(node, seen);
    const isOwn = head !== undefined && this.#logs.get(head.origin)?.publisher === node;
    if (at >= 0) this.#copies++;
    if (!seen.has(message) && at >= 0 && !isOwn) this.#unique++;
    seen.add(message);
    if (head === undefined) return;
    const key = `${node} ${head.origin}`;
    this.#heard.set(key, Math.max(this.#heard.get(key) ?? 0, head.size));
    for (const { origin, size, nodes } of this.#open)
      if (origin === head.origin && size <= head.size && nodes.has(node)) nodes.set(node, 'heard');
  }

  #get(node: number, { origin, seq }: Facts['head:advanced']): void {
    const log = this.#logs.get(origin);
    if (log === undefined || log.publisher === node || this.#liars.has(node)) return;
    const key = `${node} ${origin}`;
    const before = this.#got.get(key) ?? 0;
    this.#got.set(key, Math.max(before, seq + 1));
    const heard = this.#heard.get(key) ?? 0;
    const since = log.sizes.findLastIndex((size) => size <= before) + 1;
    for (const size of log.sizes.slice(since)) {
      if (size > seq + 1) break;
      this.#gotCount.all++;
      if (size > heard) this.#gotCount.repaired++;
    }
  }

  #close({ publisher, components, nodes }: Publication): void {
    const now = this.#truth.components();
    const isTogether = (one: ReadonlyMap<number, number>, node: number): boolean =>
      one.get(node) !== undefined && one.get(node) === one.get(publisher);
    for (const [node, state] of nodes) {
      const [delivered, reachable] = [
        state === 'heard',
        isTogether(components, node) && isTogether(now, node),
      ];
      this.#pairs.all++;
      if (delivered) this.#pairs.delivered++;
      if (reachable) this.#pairs.reachable++;
      if (delivered && reachable) this.#pairs.deliveredReachable++;
    }
  }
}
