/**
 * How soon after an instant each node that was live then believed again what all publishers said: the first moment from which,
 * held for 30 s, it had every live publisher's log up to the instant, with the maps that the publishers signed, and its
 * gateway showed no page as seen since then that is older than what the policy makes of those logs.
 */
import type { Facts } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { ModelEvent } from '../model/model-event.ts';

export interface ReconvergenceOptions {
  /** Publishers that must agree. */
  readonly threshold: number;
  /** The serial of a project's page as it was when the upstream had this one. */
  readonly serialAsOf: (project: ProjectName, serial: number) => number | undefined;
  /** Of a fault: its hosts lie. Nobody has to believe their logs. */
  readonly isByzantine: (fault: string) => boolean;
}

interface Step {
  readonly at: number;
  readonly size: number;
}

interface Signed extends Step {
  readonly serial: number;
  readonly mapRoot: string;
}

interface ServedPage {
  readonly at: number;
  readonly project: ProjectName;
  readonly serial: number;
  /** When it says that it was current. */
  readonly seen: number;
}

interface Goal {
  readonly origin: string;
  readonly node: number;
  readonly size: number;
  readonly serial: number;
}

const LOGS_ALONE: ReconvergenceOptions = {
  threshold: 0,
  serialAsOf: () => undefined,
  isByzantine: () => false,
};
const HOLD = limits.scenario.hold * 1000;

export class Reconvergence {
  readonly #options: ReconvergenceOptions;
  /** By origin: what its publisher had signed when. */
  readonly #signed = new Map<string, { readonly node: number; readonly steps: Signed[] }>();
  /** By node and origin: what it had of the log when. */
  readonly #known = new Map<number, Map<string, Step[]>>();
  readonly #served = new Map<number, ServedPage[]>();
  readonly #lives = new Map<number, { readonly at: number; readonly up: boolean }[]>();
  readonly #liars = new Set<number>();

  /** Default: logs and maps alone, of nodes that do not lie. */
  constructor(options: ReconvergenceOptions = LOGS_ALONE) {
    this.#options = options;
  }

  observe(at: number, event: ModelEvent): void {
    switch (event.kind) {
      case 'node-up':
      case 'node-down':
        listOf(this.#lives, event.node).push({ at, up: event.kind === 'node-up' });
        return;
      case 'node-wiped':
        for (const steps of this.#knownBy(event.node).values()) steps.push({ at, size: 0 });
        return;
      case 'fault-began':
        if (this.#options.isByzantine(event.fault)) for (const node of event.hosts) this.#liars.add(node);
        return;
      case 'page-served': {
        const { node, project, serial, ageSeconds } = event;
        if (serial !== undefined)
          listOf(this.#served, node).push({ at, project, serial, seen: at - ageSeconds * 1e6 });
        return;
      }
      case 'fact':
        if (event.name === 'publisher:signed')
          this.#sign(at, event.node, event.fact as Facts['publisher:signed']);
        if (event.name === 'head:advanced')
          this.#advance(at, event.node, event.fact as Facts['head:advanced']);
        return;
      default:
    }
  }

  isLive(node: number, at: number): boolean {
    return this.#lives.get(node)?.findLast((one) => one.at <= at)?.up === true;
  }

  /** When the life that the node had at `instant` ended; undefined: it did not. */
  endOfLife(node: number, instant: number): number | undefined {
    return this.#lives.get(node)?.find(({ at, up }) => !up && at > instant)?.at;
  }

  /** By node live at `instant`: microseconds; undefined: not by the end, nor before it died. Of nobody when there was no log. */
  timesAfter(instant: number, end = Infinity): Map<number, number | undefined> {
    const goals = [...this.#signed]
      .filter(([, { node }]) => this.isLive(node, instant) && !this.#liars.has(node))
      .map(([origin, { node, steps }]): Goal => {
        const { size = 0, serial = -Infinity } = steps.findLast(({ at }) => at <= instant) ?? {};
        return { origin, node, size, serial };
      });
    if (goals.every(({ size }) => size === 0)) return new Map();
    const live = [...this.#lives.keys()].filter((node) => this.isLive(node, instant)).sort((a, b) => a - b);
    return new Map(
      live.map((node) => {
        const until = Math.min(end, this.endOfLife(node, instant) ?? Infinity);
        const since = this.#firstHeld(node, goals, { instant, until });
        return [node, since === undefined ? undefined : since - instant];
      }),
    );
  }

  #firstHeld(
    node: number,
    goals: readonly Goal[],
    { instant, until }: { readonly instant: number; readonly until: number },
  ): number | undefined {
    const known = this.#known.get(node);
    const missing = new Set<string>();
    const steps: { readonly at: number; readonly origin?: string; readonly has?: boolean }[] = [];
    for (const { origin, node: publisher, size } of goals) {
      if (publisher === node || size === 0) continue;
      const own = known?.get(origin) ?? [];
      if ((own.findLast(({ at }) => at <= instant)?.size ?? 0) < size) missing.add(origin);
      for (const step of own)
        if (step.at > instant) steps.push({ at: step.at, origin, has: step.size >= size });
    }
    for (const page of this.#served.get(node) ?? [])
      if (page.at > instant && this.#isOutdated(page, goals, instant)) steps.push({ at: page.at });
    let since = missing.size === 0 ? instant : undefined;
    for (const { at, origin, has } of steps.sort((a, b) => a.at - b.at)) {
      if (since !== undefined && Math.min(at, until) - since >= HOLD) return since;
      if (at > until) break;
      if (origin !== undefined && has === true) missing.delete(origin);
      else if (origin !== undefined) missing.add(origin);
      if (missing.size > 0) since = undefined;
      // A page that is not believed any more: it begins anew.
      else since = origin === undefined ? at : (since ?? at);
    }
    return since !== undefined && until - since >= HOLD ? since : undefined;
  }

  /** What the policy makes of the goals: the page as of the serial that enough of them have. */
  #isOutdated({ project, serial, seen }: ServedPage, goals: readonly Goal[], instant: number): boolean {
    const { threshold, serialAsOf } = this.#options;
    const agreed = goals.map((goal) => goal.serial).sort((a, b) => b - a)[threshold - 1];
    if (threshold === 0 || agreed === undefined || seen < instant) return false;
    return serial < (serialAsOf(project, agreed) ?? -Infinity);
  }

  #sign(at: number, node: number, { origin, size, serial, mapRoot }: Facts['publisher:signed']): void {
    const log = this.#signed.get(origin) ?? { node, steps: [] };
    log.steps.push({ at, size, serial, mapRoot });
    this.#signed.set(origin, log);
  }

  #advance(at: number, node: number, { origin, seq, mapRoot }: Facts['head:advanced']): void {
    const signed = this.#signed.get(origin)?.steps.findLast(({ size }) => size === seq + 1);
    // Another map than the publisher's is none of its log.
    const size = signed === undefined || signed.mapRoot === mapRoot ? seq + 1 : 0;
    listOf(this.#knownBy(node), origin).push({ at, size });
  }

  #knownBy(node: number): Map<string, Step[]> {
    const known = this.#known.get(node) ?? new Map<string, Step[]>();
    this.#known.set(node, known);
    return known;
  }
}

function listOf<K, V>(lists: Map<K, V[]>, key: K): V[] {
  const known = lists.get(key) ?? [];
  lists.set(key, known);
  return known;
}
