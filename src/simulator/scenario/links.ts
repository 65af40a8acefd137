/**
 * Which directed links are down, when, and why. Always true: a link is down while any active fault cuts it, faults are
 * [at, at + for), and of several modes the strongest counts: blackhole > reject > one-way > flaky.
 */
import type { FaultHosts } from './fault-hosts.ts';
import type { ScenarioHost } from './scenario-host.ts';
import { cutsLinks, endOf, type LinkFault } from './scenario.ts';

export type LinkMode = 'up' | 'blackhole' | 'reject' | 'one-way' | 'flaky-down';

const MODES = ['blackhole', 'reject', 'one-way', 'flaky-down'] as const;

interface Cut {
  readonly id: string;
  readonly at: number;
  readonly end: number;
  /** Place in MODES. */
  readonly strength: number;
  /** Length of a cycle and of its first part, which is down; undefined: down throughout. */
  readonly flap: { readonly cycle: number; readonly down: number } | undefined;
  readonly hosts: FaultHosts;
}

export class Links {
  readonly #cuts: Cut[] = [];
  readonly #hosts = new Set<number>();

  constructor(hosts: readonly ScenarioHost[]) {
    for (const { id } of hosts) this.#hosts.add(id);
  }

  /** Once, when the fault begins (or before, if no host comes later). Others than those that cut links are ignored. */
  begin(hosts: FaultHosts): void {
    const { fault } = hosts;
    if (!cutsLinks(fault)) return;
    this.#cuts.push({
      id: fault.id,
      at: fault.at,
      end: endOf(fault),
      ...natureOf(fault),
      hosts,
    });
  }

  /** A host that was not there before; faults that begin later must be told of it themselves. */
  join(host: ScenarioHost): void {
    this.#hosts.add(host.id);
    for (const { hosts } of this.#cuts) hosts.membership.join(host);
  }

  mode(from: number, to: number, now: number): LinkMode {
    let strength: number = MODES.length;
    for (const cut of this.#cuts) {
      if (cut.strength < strength && downUntil(cut, now) !== undefined && cuts(cut.hosts, from, to))
        strength = cut.strength;
    }
    return (MODES as readonly LinkMode[])[strength] ?? 'up';
  }

  /** Faults that keep the link down now: those that a lost packet counts for. */
  causes(from: number, to: number, now: number): string[] {
    return this.#cuts
      .filter((cut) => downUntil(cut, now) !== undefined && cuts(cut.hosts, from, to))
      .map(({ id }) => id);
  }

  /** The first instant after `now` at which any fault that began here changes; undefined: never. */
  nextChange(now: number): number | undefined {
    const next = Math.min(...this.#cuts.map((cut) => changeAfter(cut, now)));
    return next === Infinity ? undefined : next;
  }

  /**
   * heal(id): when the last link that the fault cut is up under all faults; undefined: never, or it cuts nothing. Asked
   * when all faults that overlap it have begun.
   */
  healOf(id: string): number | undefined {
    const cut = this.#cuts.find((one) => one.id === id);
    if (cut === undefined) return undefined;
    const from = lastDown(cut);
    let latest = -1;
    for (const [a, b] of this.#pairs()) {
      if (cuts(cut.hosts, a, b)) latest = Math.max(latest, this.#upFrom(a, b, from));
    }
    return latest < 0 || latest === Infinity ? undefined : latest;
  }

  /** Ascending: every instant before `until` at which some link goes down that was up. */
  cutInstants(until: number): number[] {
    const pairs = this.#pairs();
    const instants = new Set<number>();
    for (const cut of this.#cuts) {
      for (let at = cut.at; at < Math.min(until, cut.end); at = nextDown(cut, at)) {
        if (instants.has(at)) continue;
        if (pairs.some(([a, b]) => cuts(cut.hosts, a, b) && this.mode(a, b, at - 1) === 'up'))
          instants.add(at);
      }
    }
    return [...instants].sort((a, b) => a - b);
  }

  /** The first instant from `time` on at which the link is up. */
  #upFrom(from: number, to: number, time: number): number {
    for (let now = time; ;) {
      const ends = this.#cuts
        .filter((cut) => cuts(cut.hosts, from, to))
        .map((cut) => downUntil(cut, now))
        .filter((end) => end !== undefined);
      if (ends.length === 0 || now === Infinity) return now;
      now = Math.max(...ends);
    }
  }

  /** One directed pair for each way in which the faults see two hosts: they cannot tell more of them apart. */
  #pairs(): [number, number][] {
    const classes = new Map<string, number[]>();
    for (const id of this.#hosts) {
      const signature = this.#cuts
        .map(({ hosts }) => `${hosts.membership.groupOf(id) ?? ''}${hosts.bridge.has(id) ? 'b' : ''}`)
        .join();
      const list = classes.get(signature);
      if (list === undefined) classes.set(signature, [id]);
      else if (list.length < 2) list.push(id);
    }
    const some = [...classes.values()].flat();
    return some.flatMap((a) => some.flatMap((b): [number, number][] => (a === b ? [] : [[a, b]])));
  }
}

function natureOf(fault: LinkFault): Pick<Cut, 'strength' | 'flap'> {
  if (fault.kind === 'one-way') return { strength: MODES.indexOf('one-way'), flap: undefined };
  const { mode } = fault;
  if (mode.kind !== 'flaky') return { strength: MODES.indexOf(mode.kind), flap: undefined };
  return { strength: MODES.indexOf('flaky-down'), flap: { cycle: mode.up + mode.down, down: mode.down } };
}

/** Whether the fault, while it is down, keeps packets of `from` from `to`. */
export function cuts({ fault, membership, bridge }: FaultHosts, from: number, to: number): boolean {
  if (from === to || bridge.has(from) || bridge.has(to)) return false;
  const a = membership.groupOf(from);
  const b = membership.groupOf(to);
  if (fault.kind === 'isolate') return a !== undefined || b !== undefined;
  if (a === undefined || b === undefined) return false;
  return fault.kind === 'one-way' ? a === 0 && b === 1 : a !== b;
}

/** While the cut is down at `now`: until when. */
function downUntil({ at, end, flap }: Cut, now: number): number | undefined {
  if (now < at || now >= end) return undefined;
  if (flap === undefined) return end;
  const phase = (now - at) % flap.cycle;
  return phase < flap.down ? Math.min(end, now - phase + flap.down) : undefined;
}

/** From when on it cuts nothing any more. */
function lastDown({ at, end, flap }: Cut): number {
  if (flap === undefined || end === Infinity) return end;
  const phase = (end - at) % flap.cycle;
  if (phase === 0) return end - (flap.cycle - flap.down);
  return phase <= flap.down ? end : end - phase + flap.down;
}

function nextDown({ end, flap }: Cut, at: number): number {
  return flap === undefined ? end : at + flap.cycle;
}

function changeAfter(cut: Cut, now: number): number {
  if (now < cut.at) return cut.at;
  if (now >= cut.end) return Infinity;
  const { flap } = cut;
  const down = downUntil(cut, now);
  if (down !== undefined) return down;
  return Math.min(cut.end, now - ((now - cut.at) % (flap?.cycle ?? 1)) + (flap?.cycle ?? 0));
}
