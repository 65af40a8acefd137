/**
 * Asks the upstream for a page: one flight a name, whoever waits. Always true: a flight ends within
 * `limits.freshness.pageFetch` and goes on when every client has left; what it brings is judged by `page-rules.ts` and
 * kept; an answer that cannot be read is a failure of the upstream and replaces nothing.
 */
import { deadline, sleep, type Clock } from '../core/clock.ts';
import { UpstreamError } from '../core/errors.ts';
import type { FactEmitter } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { PageAnswer, Upstream } from '../upstream/upstream.ts';
import type { KeptPages, KnownState, PageState, ReadAnswer } from './kept-pages.ts';
import { momentNow, type Moment } from './page-age.ts';
import { confirmed, judgeAbsence, judgePage, type Doubt, type KeptReading } from './page-rules.ts';
import { parsePage } from './read-page.ts';
import { withSecondTry } from './second-try.ts';
import { isPassing, isSilence, type UpstreamHealth } from './upstream-health.ts';

export type FlightEnd =
  | { readonly kind: 'settled'; readonly state: KnownState }
  /** The upstream contradicted the kept page and is not believed yet. */
  | { readonly kind: 'doubted'; readonly state: KnownState }
  /** `passing`: asking again may help. `retryAfter`: what the upstream asked for, ms. */
  | {
      readonly kind: 'failed';
      readonly reason: string;
      readonly passing: boolean;
      readonly retryAfter: number | undefined;
    };

export interface Flight {
  /** Never rejects. */
  readonly end: Promise<FlightEnd>;
  /** Resolves when a first try has failed, or with the end. */
  readonly trouble: Promise<void>;
  /** Monotonic. */
  readonly startedAt: number;
}

export interface PageFlights extends AsyncDisposable {
  running(project: ProjectName): Flight | undefined;
  /** Joins the running flight or starts one; undefined when too many are under way. */
  start(
    project: ProjectName,
    state: KnownState | undefined,
    options?: { noCache?: boolean },
  ): Flight | undefined;
}

export interface PageFlightsDeps {
  readonly upstream: Pick<Upstream, 'page'>;
  readonly pages: KeptPages;
  readonly clock: Clock;
  readonly facts: Pick<FactEmitter, 'emit'>;
  readonly health: UpstreamHealth;
}

/** Waits between tries, ms; the last is repeated. */
const BACKOFF = [250, 500, 1000, 2000, 4000] as const;
/** Tries when a kept page can be served meanwhile, or what came cannot be read; and after a refusal (401, 403). */
const TRIES_FEW = 3;
const TRIES_REFUSED = 2;

export function createPageFlights(deps: PageFlightsDeps): PageFlights {
  const { upstream, pages, clock, facts, health } = deps;
  const flights = new Map<ProjectName, Flight>();
  const closing = new AbortController();

  async function ask(
    project: ProjectName,
    state: KnownState | undefined,
    noCache: boolean,
    signal: AbortSignal,
  ): Promise<FlightEnd> {
    const checked = momentNow(clock);
    const kept = state?.kind === 'page' ? state : undefined;
    const validators = kept && { etag: kept.etag, lastModified: kept.lastModified };
    const request = (stop: AbortSignal): Promise<PageAnswer> =>
      upstream.page(project, { signal: stop, validators, noCache });
    // Only where somebody waits: with a kept page nobody does.
    const answer = await (kept === undefined
      ? withSecondTry(clock, limits.freshness.secondTry, request, signal)
      : request(signal));
    const now = clock.now();
    if (answer.kind === 'page') return settlePage(project, kept, answer, checked, now);
    if (answer.kind === 'absent') {
      const judgement = kept && judgeAbsence(readingOf(kept, clock), answer.observedAt, now);
      if (judgement?.kind === 'doubt') return doubt(project, kept as PageState, judgement);
      const state = await pages.takeAbsence(project, Math.min(answer.observedAt, now), checked);
      return { kind: 'settled', state };
    }
    if (kept === undefined)
      throw new UpstreamError({ url: project, status: 304 }, `304 for ${project}, of which nothing is kept`);
    const { observedAt } = confirmed(kept, answer.observedAt, now);
    return { kind: 'settled', state: await pages.confirm(project, kept, observedAt, checked) };
  }

  async function settlePage(
    project: ProjectName,
    kept: PageState | undefined,
    answer: PageAnswer & { kind: 'page' },
    checked: Moment,
    now: number,
  ): Promise<FlightEnd> {
    const content = parsePage(answer, project);
    const read: ReadAnswer = { ...answer, ...content, fileCount: content.page.files.length };
    if (kept !== undefined) {
      const judgement = judgePage(readingOf(kept, clock), read, now);
      if (judgement.kind === 'doubt') return doubt(project, kept, judgement);
      if (judgement.kind === 'confirm' && kept.url === read.url) {
        const state = await pages.confirm(project, kept, judgement.observedAt, checked, read);
        return { kind: 'settled', state };
      }
    }
    const state = await pages.take(project, read, Math.min(answer.observedAt, now), checked);
    return { kind: 'settled', state };
  }

  async function doubt(project: ProjectName, kept: PageState, judgement: Doubt): Promise<FlightEnd> {
    const state = await pages.doubt(project, kept, judgement.mark, judgement.since);
    facts.emit('network:noted', {
      message:
        judgement.mark === 'absentSince'
          ? `the upstream says that ${project} has nothing; the kept page is served until it has said so for a minute`
          : `the upstream gave an older page of ${project} than the kept one, which stays`,
    });
    return { kind: 'doubted', state };
  }

  async function fly(
    project: ProjectName,
    state: KnownState | undefined,
    noCache: boolean,
    onTrouble: () => void,
  ): Promise<FlightEnd> {
    using limit = deadline(clock, limits.freshness.pageFetch, closing.signal);
    const until = clock.monotonic() + limits.freshness.pageFetch;
    for (let tries = 1; ; tries++) {
      try {
        const end = await ask(project, state, noCache, limit.signal);
        health.succeeded();
        return end;
      } catch (error) {
        onTrouble();
        const passing = isPassing(error);
        if (isSilence(error)) health.failed();
        const { message } = error as Error;
        const retryAfter = error instanceof UpstreamError ? error.retryAfter : undefined;
        const failed: FlightEnd = { kind: 'failed', reason: message, passing, retryAfter };
        const pause = Math.max(BACKOFF[tries - 1] ?? BACKOFF[4], retryAfter ?? 0);
        const few = state?.kind === 'page' || !isSilence(error);
        const most = !passing ? TRIES_REFUSED : few ? TRIES_FEW : Infinity;
        if (tries >= most || limit.signal.aborted || clock.monotonic() + pause >= until) return failed;
        try {
          await sleep(clock, pause, limit.signal);
        } catch {
          return failed;
        }
      }
    }
  }

  return {
    running: (project) => flights.get(project),
    start(project, state, options = {}) {
      const running = flights.get(project);
      if (running !== undefined) return running;
      if (flights.size >= limits.freshness.flights || closing.signal.aborted) return undefined;
      const trouble = Promise.withResolvers<void>();
      const startedAt = clock.monotonic();
      const end = fly(project, state, options.noCache ?? false, trouble.resolve).finally(() =>
        flights.delete(project),
      );
      void end.then(() => trouble.resolve());
      const flight: Flight = { end, trouble: trouble.promise, startedAt };
      flights.set(project, flight);
      return flight;
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new DOMException('the node is closing', 'AbortError'));
      await Promise.all([...flights.values()].map(({ end }) => end));
    },
  };
}

function readingOf(kept: PageState, clock: Clock): KeptReading {
  const { markedAt } = kept;
  return { ...kept, markedFor: markedAt === undefined ? undefined : clock.monotonic() - markedAt };
}
