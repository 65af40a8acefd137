/**
 * All that goes on between a publisher and its upstream: looks, pages, the first import, rounds, hints and the sweep. Always
 * true of what `seen` says: whatever is not known to be as it was at `observedAt` is stale.
 */
import type { Clock } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { decodeKnownBin } from '../../core/index-map/index-bin.ts';
import { limits } from '../../core/limits.ts';
import type { IndexRecord } from '../../core/log/record.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { IndexMap } from '../../store/index-map/index-maps.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { AcceptedLoss } from '../administration.ts';
import type { DueAgain } from './due-again.ts';
import type { DuePages } from './due-pages.ts';
import { FirstImport } from './first-import.ts';
import { createHintRate } from './hint-rate.ts';
import type { KnownPages } from './known-pages.ts';
import { createPageReader, type PageOutcome, type PageReader } from './page-reader.ts';
import { inTurn, namesOf, PageRound } from './page-round.ts';
import { createPoliteTurns, type PoliteTurns } from './polite-turns.ts';
import type { PublishedScope } from './published-scope.ts';
import type { PublisherState } from './publisher-state.ts';
import type { Seen } from './sign-record.ts';
import { sweptBins } from './sweep.ts';
import { type Look, UpstreamWatch } from './watch-upstream.ts';

export interface UpstreamReadingDeps extends DueAgain {
  readonly upstream: Upstream;
  readonly known: KnownPages;
  readonly map: IndexMap;
  readonly state: PublisherState;
  readonly clock: Clock;
  readonly facts: Pick<FactEmitter, 'emit'>;
  readonly scope: PublishedScope;
  readonly popular: () => AsyncIterable<ProjectName>;
  /** The newest record of the log, if it has one. */
  readonly before: IndexRecord | undefined;
  readonly fileOrigin: string | undefined;
  /** Something happened that the publisher may act on. */
  readonly wake: () => void;
}

export interface Hint {
  /** Whose record says it. */
  readonly publisher: string;
  readonly name: ProjectName;
  readonly serial: number;
  readonly digest: Digest;
}

export class UpstreamReading {
  readonly #deps: UpstreamReadingDeps;
  readonly #due: DuePages;
  readonly #turns: PoliteTurns;
  readonly #reader: PageReader;
  readonly #watch: UpstreamWatch;
  readonly #import: FirstImport;
  readonly #hints: ReturnType<typeof createHintRate>;
  readonly #hinted = new Set<ProjectName>();
  /** Listed without a page, or the other way round: when to look again. */
  readonly #recheckAt = new Map<ProjectName, number>();
  #round: PageRound | undefined;
  /** Nothing else vouches for the pages. */
  #roundVouches = false;
  #observedAt: number | undefined;
  #serial: number;
  #apiVersion: string | null;
  #complete: boolean;
  #looking: Promise<void> | undefined;
  readonly #reads = new Set<Promise<void>>();
  #sweptTo: number;
  #noted = '';

  /** A look ended, a page changed, or a hint proved right, since they were last set back. */
  readonly news = { looked: false, hinted: false };

  private constructor(
    deps: UpstreamReadingDeps,
    parts: {
      reader: PageReader;
      list: ConstructorParameters<typeof UpstreamWatch>[0]['before'];
      complete: boolean;
    },
  ) {
    const { clock, known, scope, before } = deps;
    this.#deps = deps;
    this.#due = deps.due;
    this.#reader = parts.reader;
    this.#turns = createPoliteTurns(clock, deps.wake);
    this.#watch = new UpstreamWatch({
      ...deps,
      turns: this.#turns,
      quarantined: () => parts.reader.quarantined.size,
      before: parts.list,
    });
    this.#import = new FirstImport({ clock, known, due: deps.due, scope, popular: deps.popular });
    this.#hints = createHintRate(clock);
    this.#observedAt = deps.observedAt;
    this.#serial = before?.serial ?? 0;
    this.#apiVersion = before?.apiVersion ?? null;
    this.#complete = parts.complete;
    this.#sweptTo = clock.now();
  }

  static async open(deps: UpstreamReadingDeps): Promise<UpstreamReading> {
    const { state, scope, known, before } = deps;
    const fileOrigin = before?.fileOrigin ?? deps.fileOrigin;
    const ground = fileOrigin === undefined ? undefined : { fileOrigin, format: before?.format };
    const reader = await createPageReader({ ...deps, ground });
    // A scope that was made smaller: what it lacks now leaves the map.
    const outside: ProjectName[] = [];
    for await (const { name } of known.entries()) if (!scope.has(name)) outside.push(name);
    for (const name of outside) await known.remove(name);
    const complete = (await state.note('completeFor')) === scope.id;
    return new UpstreamReading(deps, { reader, list: await state.note('list'), complete });
  }

  /** What a record may say; undefined while nothing was seen. */
  seen(): Omit<Seen, 'upstream' | 'scope' | 'retractions' | 'successor'> | undefined {
    const { format, fileOrigin } = this.#reader.ground;
    if (this.#observedAt === undefined || format === undefined) return undefined;
    return {
      format,
      fileOrigin: fileOrigin ?? new URL(this.#deps.upstream.status().url).origin,
      complete: this.#complete,
      serial: this.#serial,
      apiVersion: this.#apiVersion,
      observedAt: this.#observedAt,
      stale: new Set(this.#due.stale()),
    };
  }

  get isLooking(): boolean {
    return this.#looking !== undefined;
  }

  /** Nothing can be read now that is not read yet. */
  get isSettled(): boolean {
    if (this.#looking !== undefined || this.#reads.size > 0) return false;
    return this.#due.unsettled === 0 || this.#turns.failing || this.#isResting();
  }

  /** When a page can be read (monotonic ms). */
  nextAt(): number {
    if (this.#turns.failing || (this.#isAlone() && this.#reads.size > 0)) return Infinity;
    return Math.max(this.#due.nextAt(), this.#turns.nextAt());
  }

  startLook(signal: AbortSignal): void {
    this.#turns.forgive();
    this.#looking ??= this.#look(signal)
      .catch((error: unknown) => {
        if (!signal.aborted) this.#note(`the upstream could not be looked at: ${(error as Error).message}`);
      })
      .finally(() => {
        this.#looking = undefined;
        this.news.looked = true;
        this.#deps.wake();
      });
  }

  /** Begins as many reads as manners allow. */
  async startReads(signal: AbortSignal): Promise<void> {
    await this.#fill();
    const alone = this.#isAlone();
    while (!this.#turns.failing && !(alone && this.#reads.size > 0)) {
      if (!this.#due.hasReady() && this.#due.nextAt() > this.#deps.clock.monotonic()) return;
      const leave = this.#turns.tryEnter();
      if (leave === undefined) return;
      const due = this.#due.take();
      if (due === undefined) {
        leave();
        return;
      }
      const read = this.#reader
        .read(due, signal)
        .then(
          ({ outcome, error }) => {
            leave(error);
            return this.#took(outcome);
          },
          (error: unknown) => {
            leave();
            if (!signal.aborted) throw error;
          },
        )
        .catch((error: unknown) => this.#note(`reading the page of ${due.project} failed: ${String(error)}`))
        .finally(() => {
          this.#reads.delete(read);
          this.#deps.wake();
        });
      this.#reads.add(read);
      if (alone) return;
    }
  }

  /** Another publisher's record has another pair: the page is read here, at once, and only what is read is signed. */
  async hint({ publisher, name, serial, digest }: Hint): Promise<void> {
    if (!this.#deps.scope.has(name) || !this.#hints.allows(publisher)) return;
    const known = await this.#deps.known.get(name);
    if (known !== undefined && (known.serial > serial || known.digest === digest)) return;
    this.#hinted.add(name);
    this.#due.add(name, 'hint');
    this.#deps.wake();
  }

  /** The names that the last list lost may go, this once. @throws InvalidContentError when none was refused for that */
  acceptLoss(): AcceptedLoss {
    return this.#watch.acceptLoss();
  }

  /** Everything that is under way has ended. */
  async ended(): Promise<void> {
    await this.#looking;
    await Promise.allSettled(this.#reads);
  }

  /** The first page with files says where files are; the others wait for it. */
  #isAlone(): boolean {
    const { format, fileOrigin } = this.#reader.ground;
    return format === undefined || fileOrigin === undefined;
  }

  #isResting(): boolean {
    const at = this.#turns.nextAt();
    return at !== Infinity && at - this.#deps.clock.monotonic() > limits.publish.recordGap;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { state, clock } = this.#deps;
    const began = clock.now();
    if (this.#reader.serials === false) this.#watch.pagesHaveNone();
    const look = await this.#watch.look(signal);
    if (look.news !== undefined) await state.putNote('list', this.#watch.list);
    await this.#take(look, began);
    if (!look.round) await this.#sweep();
    this.#noted = '';
  }

  async #take(look: Look, began: number): Promise<void> {
    const { known, scope, state, clock } = this.#deps;
    this.#serial = Math.max(this.#serial, look.serial ?? 0);
    this.#apiVersion = look.apiVersion ?? this.#apiVersion;
    if (look.news !== undefined) await this.#takeNews(look.news);
    for (const [name, serial] of look.events) {
      const entry = await known.get(name);
      if (entry === undefined || entry.serial < serial) this.#due.add(name, 'changed', { announced: serial });
    }
    if (look.observedAt !== undefined) this.#observedAt = Math.max(look.observedAt, this.#observedAt ?? 0);
    this.#roundVouches = look.round && look.observedAt === undefined;
    if (!this.#complete) {
      if (look.news === undefined && look.round) this.#import.begin(undefined);
      // Of what was read before a restart nobody knows more than that it was so when the import began.
      if (this.#roundVouches && this.#observedAt === undefined) {
        this.#observedAt = (await state.note('roundBegan')) ?? began;
        await state.putNote('roundBegan', this.#observedAt);
      }
    } else if (look.round && this.#round === undefined) {
      this.#round = new PageRound(
        scope.names === undefined ? namesOf(known) : inTurn(scope.names),
        clock.now(),
      );
    }
    if (this.#round !== undefined) {
      const most = scope.names === undefined ? limits.publish.roundPages : Infinity;
      for (const name of await this.#round.next(most)) this.#due.add(name, 'check');
      this.#endRound();
    }
  }

  async #takeNews(news: NonNullable<Look['news']>): Promise<void> {
    for (const { name, serial } of news.changed) this.#due.add(name, 'changed', { announced: serial });
    for (const name of news.gone) {
      const isHidden = this.#reader.quarantined.has(name);
      if (!isHidden || this.#mayRecheck(name)) this.#due.add(name, 'gone', { stale: !isHidden });
    }
    for (const name of this.#reader.quarantined) {
      const serial = news.take(name);
      if (serial === undefined) continue;
      await this.#reader.markListed(name, true);
      this.#due.add(name, 'changed', { announced: serial });
    }
    if (!this.#complete) {
      this.#import.begin(news);
      return;
    }
    for (const { name, serial } of news.fresh())
      if (this.#mayRecheck(name)) this.#due.add(name, 'first', { announced: serial, stale: true });
  }

  /** Once, and then again every ten minutes. */
  #mayRecheck(name: ProjectName): boolean {
    const now = this.#deps.clock.monotonic();
    const at = this.#recheckAt.get(name) ?? 0;
    if (at > now) return false;
    this.#recheckAt.set(name, now + limits.publish.missingRecheck);
    return true;
  }

  async #took(outcome: PageOutcome): Promise<void> {
    const { project, changed, observedAt, apiVersion } = outcome;
    this.#apiVersion ??= apiVersion ?? null;
    if (changed && this.#hinted.has(project)) this.news.hinted = true;
    this.#hinted.delete(project);
    if (changed) this.#recheckAt.delete(project);
    this.#round?.answered(project, observedAt);
    this.#endRound();
    if (this.#complete || !this.#import.tried(project)) return;
    if (this.#roundVouches && observedAt !== undefined && this.#observedAt !== undefined)
      this.#observedAt = Math.min(this.#observedAt, observedAt);
    const { done, total } = this.#import.progress;
    this.#deps.facts.emit('publisher:progressed', { done, total, project });
    await this.#fill();
  }

  async #fill(): Promise<void> {
    if (this.#complete) return;
    await this.#import.fill();
    if (!this.#import.done) return;
    this.#complete = true;
    await this.#deps.state.putNote('completeFor', this.#deps.scope.id);
  }

  #endRound(): void {
    const end = this.#round?.end();
    if (end === undefined) return;
    this.#round = undefined;
    if (this.#roundVouches) this.#observedAt = Math.max(end, this.#observedAt ?? 0);
  }

  async #sweep(): Promise<void> {
    const now = this.#deps.clock.now();
    const { map, scope } = this.#deps;
    for (const number of sweptBins(this.#sweptTo, now))
      for (const { name } of decodeKnownBin(await map.bin(number)).entries)
        if (scope.has(name)) this.#due.add(name, 'check');
    this.#sweptTo = now;
  }

  /** Once, as long as it stays the same. */
  #note(message: string): void {
    if (message === this.#noted) return;
    this.#noted = message;
    this.#deps.facts.emit('publisher:noted', { message });
  }
}
