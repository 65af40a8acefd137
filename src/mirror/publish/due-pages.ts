/**
 * Which pages are to be read, in which order, and which of them count as stale meanwhile. Always true: a name whose page
 * is known to be newer than what the map has stays stale until it is read; failing pages come again with growing pauses.
 */
import type { Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';

/**
 * Why: somebody's hint; it changed; it is not in the list any more; it is new; or only to see whether it is as it was.
 * In the order in which they are read.
 */
export type DueReason = 'hint' | 'changed' | 'gone' | 'first' | 'check';
const ORDER: readonly DueReason[] = ['hint', 'changed', 'gone', 'first', 'check'];

export interface DuePage {
  readonly project: ProjectName;
  readonly reason: DueReason;
  /** The serial that it must have at least; 0 when nobody said. A hint's counts for nothing. */
  readonly announced: number;
  /** False: the list lacks it, so its own page has to say whether it is there. */
  readonly listed: boolean;
  readonly attempts: number;
  /** Answers in a row that there is no such page. */
  readonly absences: number;
}

export class DuePages {
  readonly #clock: Clock;
  readonly #ready = new Map<DueReason, Map<ProjectName, DuePage>>(ORDER.map((reason) => [reason, new Map()]));
  readonly #waiting = new Map<ProjectName, DuePage & { readonly at: number }>();
  readonly #reading = new Map<ProjectName, DuePage>();
  readonly #stale = new Set<ProjectName>();
  /** None of those that wait comes before (monotonic ms): they may be every name. */
  #wakeAt = Infinity;
  /** Asked for while it was being read. */
  readonly #again = new Map<ProjectName, DuePage>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `stale`: what the map has of it is no vote until it is read. */
  add(
    project: ProjectName,
    reason: DueReason,
    options: { announced?: number; stale?: boolean; listed?: boolean } = {},
  ): void {
    const {
      announced = 0,
      stale = reason === 'changed' || reason === 'gone',
      listed = reason !== 'gone',
    } = options;
    if (stale) this.#stale.add(project);
    const fresh: DuePage = { project, reason, announced, listed, attempts: 0, absences: 0 };
    if (this.#reading.has(project)) {
      this.#again.set(project, joined(fresh, this.#again.get(project)));
      return;
    }
    const known = this.#known(project);
    const waiting = this.#waiting.get(project);
    // News do not shorten a pause, unless they are news: a higher serial, or somebody saw the page.
    if (waiting !== undefined && announced <= waiting.announced && reason !== 'hint' && reason !== 'gone')
      return;
    this.#forget(project);
    const due = joined(fresh, known);
    this.#ready.get(due.reason)?.set(project, due);
  }

  /** The next one to be read; it is the caller's until `done` or `retry`. */
  take(): DuePage | undefined {
    this.#wake();
    for (const reason of ORDER) {
      const queue = this.#ready.get(reason) as Map<ProjectName, DuePage>;
      const [first] = queue;
      if (first === undefined) continue;
      queue.delete(first[0]);
      this.#reading.set(first[0], first[1]);
      return first[1];
    }
    return undefined;
  }

  /** It was read, and is what was announced. */
  done(project: ProjectName): void {
    this.#reading.delete(project);
    const again = this.#again.get(project);
    this.#again.delete(project);
    if (again === undefined) this.#stale.delete(project);
    else this.#ready.get(again.reason)?.set(project, again);
  }

  /** To be read again after a pause; `stale`: until then what the map has is no vote. */
  retry(due: DuePage, options: { stale: boolean; absent?: boolean; pause?: number | undefined }): void {
    const { project } = due;
    this.#reading.delete(project);
    if (options.stale) this.#stale.add(project);
    const again = this.#again.get(project);
    this.#again.delete(project);
    const { retryFirst, retryMax } = limits.publish;
    const pause = Math.min(
      retryMax,
      Math.max(options.pause ?? 0, retryFirst * 2 ** Math.min(due.attempts, 20)),
    );
    const at = this.#clock.monotonic() + (again === undefined ? pause : Math.min(pause, retryFirst));
    this.#waiting.set(project, {
      ...(again === undefined ? due : joined(again, due)),
      attempts: due.attempts + 1,
      absences: options.absent === true ? due.absences + 1 : 0,
      at,
    });
    this.#wakeAt = Math.min(this.#wakeAt, at);
  }

  /** When something can be read: now, later (monotonic ms), or never. */
  nextAt(): number {
    this.#wake();
    return this.hasReady() ? this.#clock.monotonic() : this.#wakeAt;
  }

  hasReady(): boolean {
    return ORDER.some((reason) => (this.#ready.get(reason)?.size ?? 0) > 0);
  }

  count(reason: DueReason): number {
    return this.#ready.get(reason)?.size ?? 0;
  }

  /** Being read, or waiting for its turn. */
  get unsettled(): number {
    return this.#reading.size + ORDER.reduce((sum, reason) => sum + this.count(reason), 0);
  }

  has(project: ProjectName): boolean {
    return this.#reading.has(project) || this.#known(project) !== undefined;
  }

  /** Never tried, or tried in vain, since the start. */
  stale(): ReadonlySet<ProjectName> {
    return this.#stale;
  }

  #wake(): void {
    const now = this.#clock.monotonic();
    if (now < this.#wakeAt) return;
    this.#wakeAt = Infinity;
    for (const [project, waiting] of this.#waiting) {
      const { at, ...due } = waiting;
      if (at > now) {
        this.#wakeAt = Math.min(this.#wakeAt, at);
        continue;
      }
      this.#waiting.delete(project);
      this.#ready.get(due.reason)?.set(project, due);
    }
  }

  #known(project: ProjectName): DuePage | undefined {
    const waiting = this.#waiting.get(project);
    if (waiting !== undefined) return waiting;
    for (const queue of this.#ready.values()) {
      const found = queue.get(project);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #forget(project: ProjectName): void {
    this.#waiting.delete(project);
    for (const queue of this.#ready.values()) queue.delete(project);
  }
}

/** The more pressing reason, the higher serial, and the patience that was already shown. */
function joined(one: DuePage, other: DuePage | undefined): DuePage {
  if (other === undefined) return one;
  const reason = ORDER.indexOf(one.reason) <= ORDER.indexOf(other.reason) ? one.reason : other.reason;
  return {
    project: one.project,
    reason,
    announced: Math.max(one.announced, other.announced),
    listed: one.listed,
    attempts: Math.max(one.attempts, other.attempts),
    absences: Math.max(one.absences, other.absences),
  };
}
