/**
 * One look at the upstream, as cheap as it can be for what the upstream gives: the changelog, the list if it changed, or
 * every page if it changed. Finds out which pages are due; reads none. What fails changes nothing: the last look that
 * succeeded stays the newest.
 */
import type { Clock } from '../../core/clock.ts';
import { InvalidContentError, InvalidNameError, UpstreamError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { parseProjectName, type ProjectName } from '../../core/project-name.ts';
import type { ConditionalListAnswer, PageValidators, Upstream } from '../../upstream/upstream.ts';
import type { AcceptedLoss } from '../administration.ts';
import { compareList, type ListNews } from './compare-list.ts';
import type { KnownPages } from './known-pages.ts';
import type { PoliteTurns } from './polite-turns.ts';
import type { PublishedScope } from './published-scope.ts';
import { isTooMuch, lossError, type ReadList, readWholeList } from './read-list.ts';

/** What a look found. */
export interface Look {
  /** Wall clock, ms: what is not due is so as of then. Undefined: nothing was learned of that. */
  readonly observedAt: number | undefined;
  readonly serial: number | undefined;
  readonly apiVersion: string | undefined;
  /** Of a list that was read whole. */
  readonly news: ListNews | undefined;
  /** Said by the changelog, newest serial of each. */
  readonly events: ReadonlyMap<ProjectName, number>;
  /** All pages have to be looked at: when that is done they are so as of its begin, if nothing better is known. */
  readonly round: boolean;
}

export interface ListFacts {
  readonly size: number;
  readonly bytes: number;
  readonly serials: boolean;
}

export interface WatchDeps {
  readonly upstream: Upstream;
  readonly turns: Pick<PoliteTurns, 'enter'>;
  readonly known: Pick<KnownPages, 'entries'>;
  readonly clock: Clock;
  readonly scope: PublishedScope;
  /** Known not to be listed: quarantined. */
  readonly quarantined: () => number;
  /** Of the list that was read last, before a restart. */
  readonly before: ListFacts | undefined;
}

const NOTHING: Look = {
  observedAt: undefined,
  serial: undefined,
  apiVersion: undefined,
  news: undefined,
  events: new Map(),
  round: false,
};

export class UpstreamWatch {
  readonly #deps: WatchDeps;
  #list: ListFacts | undefined;
  #validators: PageValidators = {};
  #listAt: number | undefined;
  /** Up to where changes are known. */
  #serial: number | undefined;
  #noChangelogUntil = 0;
  #roundAt = 0;
  #hasList = true;
  /** Why the last list was refused; and what a person said may be lost. */
  #refused: AcceptedLoss | undefined;
  #accepted = 0;

  constructor(deps: WatchDeps) {
    this.#deps = deps;
    this.#list = deps.before;
  }

  /** Of the list that was read last. */
  get list(): ListFacts | undefined {
    return this.#list;
  }

  /** A list that lost as much as the last one is believed, once. @throws InvalidContentError when none was refused for that */
  acceptLoss(): AcceptedLoss {
    const refused = this.#refused;
    if (refused === undefined)
      throw new InvalidContentError('no list of projects is refused for the names that it lost');
    // Some more may go until the list is read again.
    this.#accepted = refused.lost + limits.publish.listLossFew;
    return refused;
  }

  /** Pages say no serials, whatever the list does: only looking at them tells whether they changed. */
  pagesHaveNone(): void {
    if (this.#list !== undefined) this.#list = { ...this.#list, serials: false };
  }

  /** @throws UpstreamError, InvalidContentError */
  async look(signal: AbortSignal): Promise<Look> {
    if (this.#listIsDue()) {
      const look = await this.#lookAtList(signal);
      // A list that is asked for each time says all that the changelog would.
      if (this.#isCheap() || this.#serial === undefined || !this.#hasChangelog()) return look;
      const later = await this.#lookAtChangelog(signal).catch(() => NOTHING);
      return later.observedAt === undefined
        ? look
        : { ...look, observedAt: later.observedAt, serial: later.serial, events: later.events };
    }
    if (this.#hasChangelog() && this.#serial !== undefined) {
      const look = await this.#lookAtChangelog(signal);
      if (this.#hasChangelog()) return { ...look, round: this.#roundIsDue() };
    }
    return { ...NOTHING, round: this.#deps.scope.names !== undefined };
  }

  #isCheap(): boolean {
    return this.#hasList && (this.#list?.bytes ?? Infinity) <= limits.publish.cheapListBytes;
  }

  #listIsDue(): boolean {
    if (!this.#hasList) return false;
    if (this.#listAt === undefined || this.#isCheap()) return true;
    const scoped = this.#deps.scope.names !== undefined;
    const { listWithChangelog, listAlone } = limits.publish;
    const every = this.#hasChangelog() ? listWithChangelog : listAlone;
    return !scoped && this.#deps.clock.monotonic() - this.#listAt >= every;
  }

  /** A scope whose list is too dear: its pages are looked at as often as the list would be. */
  #roundIsDue(): boolean {
    if (this.#deps.scope.names === undefined) return false;
    const now = this.#deps.clock.monotonic();
    const due = now - Math.max(this.#roundAt, this.#listAt ?? 0) >= limits.publish.listWithChangelog;
    if (due) this.#roundAt = now;
    return due;
  }

  #hasChangelog(): boolean {
    const { upstream, clock } = this.#deps;
    return upstream.changelog !== undefined && clock.monotonic() >= this.#noChangelogUntil;
  }

  async #lookAtList(signal: AbortSignal): Promise<Look> {
    const { clock, scope, upstream } = this.#deps;
    return this.#inTurn(signal, async () => {
      const began = clock.now();
      const answer = await this.#askForList(signal);
      if (answer.kind === 'absent') {
        this.#hasList = false;
        if (scope.names === undefined)
          throw new UpstreamError(
            { url: upstream.status().url, status: 404 },
            'the upstream has no list of projects',
          );
        return { ...NOTHING, round: true };
      }
      const observedAt = Math.min(answer.observedAt ?? began, clock.now());
      if (answer.kind === 'not-modified') {
        this.#listAt = clock.monotonic();
        return this.#vouched({ ...NOTHING, observedAt, serial: this.#serial });
      }
      const list = await readWholeList(answer, scope.has, signal);
      const news = await this.#believe(list, answer.url);
      const older = list.serials && this.#serial !== undefined && list.serial < this.#serial;
      this.#listAt = clock.monotonic();
      const { serial, apiVersion } = list;
      // From a cache, or an upstream that was set back: it vouches for nothing.
      if (older) return { ...NOTHING, news, apiVersion };
      const serials = list.serials && this.#list?.serials !== false;
      this.#list = { size: list.size, bytes: list.bytes, serials };
      this.#validators = { etag: answer.etag, lastModified: answer.lastModified };
      this.#serial = list.serials ? serial : undefined;
      return this.#vouched({ ...NOTHING, observedAt, serial, apiVersion, news });
    });
  }

  /** Where no serials are listed a list says nothing of the pages. */
  #vouched(look: Look): Look {
    return this.#list?.serials === true ? look : { ...look, observedAt: undefined, round: true };
  }

  async #askForList(signal: AbortSignal): Promise<ConditionalListAnswer> {
    const { upstream } = this.#deps;
    if (upstream.projectListIfChanged !== undefined)
      return await upstream.projectListIfChanged(this.#validators, { signal });
    const answer = await upstream.projectList({ signal });
    return answer === undefined ? { kind: 'absent' } : { kind: 'list', ...answer };
  }

  async #believe(list: ReadList, url: string): Promise<ListNews> {
    const { known, quarantined } = this.#deps;
    const before = this.#list?.size;
    const news = await compareList(list, known);
    const losses = [
      { before: before ?? 0, lost: before === undefined ? 0 : before - list.size },
      { before: news.known, lost: Math.max(0, news.gone.length - quarantined()) },
    ];
    this.#refused = losses.filter(isTooMuch).sort((a, b) => b.lost - a.lost)[0];
    if (this.#refused !== undefined && this.#refused.lost > this.#accepted)
      throw lossError(url, this.#refused);
    this.#refused = undefined;
    this.#accepted = 0;
    return news;
  }

  async #lookAtChangelog(signal: AbortSignal): Promise<Look> {
    const { upstream, clock, scope } = this.#deps;
    const { changelog } = upstream;
    let serial = this.#serial;
    if (changelog === undefined || serial === undefined) return NOTHING;
    const events = new Map<ProjectName, number>();
    try {
      const last = await this.#inTurn(signal, () => changelog.lastSerial({ signal }));
      for (let calls = 0; serial < last.serial; calls++) {
        const from: number = serial;
        const more = await this.#inTurn(signal, () => changelog.since(from, { signal }));
        const newest = more.at(-1)?.serial ?? 0;
        if (newest <= from || calls >= limits.publish.changelogCalls) return this.#gap();
        for (const event of more) {
          const name = nameOf(event.name);
          if (name !== undefined && scope.has(name)) events.set(name, event.serial);
        }
        serial = newest;
      }
      // Behind what was seen: another server, or one that was set back.
      if (last.serial < (this.#serial ?? 0)) return this.#gap();
      this.#serial = serial;
      return { ...NOTHING, observedAt: last.observedAt, serial, events };
    } catch (error) {
      // What answers, but not like this, has no changelog.
      if (!(error instanceof UpstreamError) || !hasNone(error)) throw error;
      this.#noChangelogUntil = clock.monotonic() + limits.publish.changelogProbe;
      return NOTHING;
    }
  }

  /** The changelog does not lead on from what is known: the list is read again. */
  #gap(): Look {
    this.#listAt = undefined;
    this.#serial = undefined;
    return NOTHING;
  }

  async #inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const leave = await this.#deps.turns.enter(signal);
    try {
      const answer = await work();
      leave();
      return answer;
    } catch (error) {
      leave(error);
      throw error;
    }
  }
}

function hasNone({ status }: UpstreamError): boolean {
  return (
    status !== undefined &&
    (status === 200 || (status >= 400 && status < 500 && status !== 429) || status === 501)
  );
}

function nameOf(text: string): ProjectName | undefined {
  try {
    return parseProjectName(text);
  } catch (error) {
    if (error instanceof InvalidNameError) return undefined;
    throw error;
  }
}
