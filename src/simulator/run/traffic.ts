/**
 * Bytes and messages that nodes send, a live node and second, by protocol. `overhead` is what connections carry beside
 * their streams' contents: handshakes, Noise's and yamux's frames, negotiation, pings of the multiplexer.
 */
import type { Counter, Series } from '../results/run-result.ts';
import { areaOver, binMeans, type StepPoint } from '../statistics/time-weighted.ts';
import { BIN } from './step-series.ts';

const PROTOCOLS: readonly (readonly [name: string, prefix: string])[] = [
  ['blob', '/fondue/blob/'],
  ['index', '/fondue/index/'],
  ['kad', '/fondue/kad/'],
  ['gossip', '/meshsub/'],
  ['identify', '/ipfs/id/'],
  ['ping', '/ipfs/ping/'],
];
const OVERHEAD = 'overhead';

interface Bins {
  readonly bytes: number[];
  readonly messages: number[];
}

export class Traffic {
  readonly #byProtocol = new Map<string, Bins>();
  readonly #names = new Map<string, string>();
  readonly #wire: number[] = [];

  /** `at`: microseconds after the warm-up; what was before is not counted. */
  wire(at: number, bytes: number): void {
    if (at >= 0) add(this.#wire, at, bytes);
  }

  sent(at: number, protocol: string, bytes: number): void {
    if (at < 0) return;
    const bins = this.#binsOf(this.#nameOf(protocol));
    add(bins.bytes, at, bytes);
    add(bins.messages, at, 1);
  }

  /** `live`: how many nodes were live when. */
  series(end: number, live: readonly StepPoint[]): Series[] {
    const nodes = binMeans(live, { from: 0, to: end, length: BIN });
    const rate = (bins: readonly number[]): StepPoint[] =>
      nodes.map(({ at, value }, bin) => {
        const seconds = (Math.min(BIN, end - at) / 1e6) * (value ?? 0);
        return { at, value: seconds === 0 ? undefined : (bins[bin] ?? 0) / seconds };
      });
    return [
      ...this.#all(nodes.length).map(([group, bytes]): Series => {
        return { metric: 'bytes_sent', unit: 'B/s', group, points: rate(bytes) };
      }),
      ...[...this.#byProtocol].map(([group, { messages }]): Series => {
        return { metric: 'messages_sent', unit: '1/s', group, points: rate(messages) };
      }),
    ];
  }

  counters(): Counter[] {
    const bytes = (group: string, bins: readonly number[]): Counter => ({
      metric: 'bytes_sent.total',
      unit: 'B',
      group,
      value: sum(bins),
    });
    return this.#all(this.#wire.length).map(([group, bins]) => bytes(group, bins));
  }

  /** Of all node-seconds: where more nodes live, a second weighs more. */
  means(end: number, live: readonly StepPoint[]): Counter[] {
    const nodeSeconds = areaOver(live, 0, end) / 1e6;
    if (nodeSeconds === 0) return [];
    const mean = (metric: string, unit: string, group: string, bins: readonly number[]): Counter => ({
      metric: `${metric}.mean`,
      unit,
      group,
      value: sum(bins) / nodeSeconds,
    });
    return [
      ...this.#all(Math.ceil(end / BIN)).map(([group, bytes]) => mean('bytes_sent', 'B/s', group, bytes)),
      ...[...this.#byProtocol].map(([group, { messages }]) => mean('messages_sent', '1/s', group, messages)),
    ];
  }

  #all(bins: number): [string, readonly number[]][] {
    if (this.#wire.length === 0) return [];
    return [
      ...[...this.#byProtocol].map(([name, { bytes }]): [string, readonly number[]] => [name, bytes]),
      [OVERHEAD, this.#overhead(bins)],
    ];
  }

  /** What a stream sent may go out in a later bin: what is missing there is taken from the next. */
  #overhead(bins: number): number[] {
    let owed = 0;
    return Array.from({ length: bins }, (_, bin) => {
      const streams = [...this.#byProtocol.values()].reduce((all, { bytes }) => all + (bytes[bin] ?? 0), 0);
      const left = (this.#wire[bin] ?? 0) - streams - owed;
      owed = Math.max(0, -left);
      return Math.max(0, left);
    });
  }

  #binsOf(name: string): Bins {
    const known = this.#byProtocol.get(name) ?? { bytes: [], messages: [] };
    this.#byProtocol.set(name, known);
    return known;
  }

  #nameOf(protocol: string): string {
    const name =
      this.#names.get(protocol) ??
      PROTOCOLS.find(([, prefix]) => protocol.startsWith(prefix))?.[0] ??
      'other';
    this.#names.set(protocol, name);
    return name;
  }
}

function add(bins: number[], at: number, count: number): void {
  const bin = Math.floor(at / BIN);
  bins[bin] = (bins[bin] ?? 0) + count;
}

function sum(values: readonly number[]): number {
  return values.reduce((all, one) => all + one, 0);
}
