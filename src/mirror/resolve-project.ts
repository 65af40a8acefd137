/**
 * A project's page for a client: fresh from memory, else revalidated, else the kept one with its true age, else waited for
 * (design/gateway, "Headers and freshness"). Always true: `absent` is said only when the upstream said it (or the name is
 * private); a kept page costs a client at most 300 ms, 3 s with `no-cache`; a request to the upstream outlives its clients.
 */
import type { Clock } from '../core/clock.ts';
import type { FactEmitter } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import type { ProjectName } from '../core/project-name.ts';
import { freshLeft, type KeptPages, type KnownState } from './kept-pages.ts';
import type { Patience, ProjectAnswer, ServedPage } from './mirror.ts';
import type { PageUnrest } from './page-unrest.ts';
import type { Flight, FlightEnd, PageFlights } from './refresh-page.ts';
import type { UpstreamHealth } from './upstream-health.ts';
import { OUT_OF_TIME, waitFor } from './wait-for.ts';

export interface ResolveProjectDeps {
  readonly pages: KeptPages;
  readonly flights: PageFlights;
  readonly health: UpstreamHealth;
  readonly unrest: PageUnrest;
  readonly clock: Clock;
  readonly facts: Pick<FactEmitter, 'emit'>;
  readonly isPrivate: (project: ProjectName) => boolean;
}

export interface ResolveProjectOptions {
  /** How long a page is fresh, ms. */
  readonly pageTtl: number;
  /** Nothing leaves for the upstream. */
  readonly offline: boolean;
}

export interface ResolveProject {
  project(project: ProjectName, patience?: Patience): Promise<ProjectAnswer>;
  /** See `Mirror`. */
  freshProject(project: ProjectName): (ProjectAnswer & { readonly kind: 'page' }) | undefined;
  /** The kept page at once, however old; when it is past its time it is asked for again behind the caller's back. */
  kept(project: ProjectName): Promise<ServedPage | undefined>;
}

export function createResolveProject(
  deps: ResolveProjectDeps,
  options: ResolveProjectOptions,
): ResolveProject {
  const { pages, flights, health, unrest, clock, facts } = deps;
  const { pageTtl, offline } = options;

  function answer(project: ProjectName, state: KnownState, source: 'disk' | 'upstream'): ProjectAnswer {
    const ageSeconds = Math.ceil(state.age.age() / 1000);
    const freshSeconds = Math.floor(freshLeft(state, clock, pageTtl) / 1000);
    if (state.kind === 'absent') return { kind: 'absent', ageSeconds, freshSeconds };
    const stale = freshLeft(state, clock, pageTtl) === 0;
    if (stale) facts.emit('page:stale-served', { project, ageSeconds });
    return { kind: 'page', served: state.served, ageSeconds, freshSeconds, stale, source };
  }

  function launch(
    project: ProjectName,
    state: KnownState | undefined,
    noCache: boolean,
    onEnd?: () => void,
  ): Flight | undefined {
    const running = flights.running(project);
    const flight = running ?? flights.start(project, state, { noCache });
    if (flight === undefined || running !== undefined) {
      onEnd?.();
      return flight;
    }
    void watch(project, flight, onEnd);
    return flight;
  }

  async function watch(project: ProjectName, flight: Flight, onEnd: (() => void) | undefined): Promise<void> {
    unrest.ended(project, await flight.end);
    onEnd?.();
  }

  /** Asks for what is kept although nobody waits for it; little, while the upstream is failing. */
  function refreshBehind(project: ProjectName, state: KnownState): void {
    if (flights.running(project) !== undefined || !unrest.mayAsk(project)) return;
    if (!health.troubled()) {
      launch(project, state, false);
      return;
    }
    const probe = health.probe();
    if (probe !== undefined) launch(project, state, false, () => probe.ended());
  }

  /** Waits for the revalidation of something that can be served without it. */
  async function revalidate(
    project: ProjectName,
    state: KnownState,
    patience: Patience,
  ): Promise<ProjectAnswer> {
    const noCache = patience.noCache ?? false;
    const troubled = health.troubled() || unrest.troubled(project);
    if (!noCache && (troubled || !unrest.mayAsk(project))) {
      refreshBehind(project, state);
      return answer(project, state, 'disk');
    }
    const flight = launch(project, state, noCache);
    if (flight === undefined) return answer(project, state, 'disk');
    // An absence is no page: a little more time is due before "there is nothing" is said again.
    const long = noCache || state.kind === 'absent';
    const started = long ? clock.monotonic() : flight.startedAt;
    const longest = long ? limits.freshness.noCacheWait : limits.freshness.revalidateWait;
    const left = Math.min(started + longest - clock.monotonic(), patience.wait ?? Infinity);
    if (left <= 0) return answer(project, state, 'disk');
    // With no-cache the tries after a first failure are waited for too, unless the upstream was failing before.
    const done = noCache && !troubled ? flight.end : Promise.race([flight.end, flight.trouble]);
    const end = await waitFor<FlightEnd | void>(clock, done, left, patience.signal);
    if (end === OUT_OF_TIME) {
      health.failed();
      unrest.slow(project);
    }
    if (typeof end !== 'object' || end.kind === 'failed') return answer(project, state, 'disk');
    return answer(project, end.state, end.kind === 'settled' ? 'upstream' : 'disk');
  }

  /** Waits for a page of which nothing is kept. */
  async function fetch(
    project: ProjectName,
    state: KnownState | undefined,
    patience: Patience,
  ): Promise<ProjectAnswer> {
    const until = clock.monotonic() + (patience.wait ?? limits.gateway.wait);
    for (;;) {
      const joined = flights.running(project) !== undefined;
      const flight = launch(project, state, patience.noCache ?? false);
      if (flight === undefined) return unknown(project, 'too many pages are being fetched');
      const left = Math.max(1, until - clock.monotonic());
      const end = await waitFor(clock, flight.end, left, patience.signal);
      if (end === OUT_OF_TIME) {
        if (clock.monotonic() - flight.startedAt >= limits.freshness.noCacheWait) health.failed();
        return unknown(project, 'the upstream has not answered yet');
      }
      if (end.kind !== 'failed') return answer(project, end.state, 'upstream');
      // A flight that was under way before this client came may have ended with its own time, not this client's.
      if (!joined || !end.passing || end.retryAfter !== undefined || clock.monotonic() >= until)
        return unknown(project, end.reason);
    }
  }

  return {
    async project(project, patience = {}) {
      patience.signal?.throwIfAborted();
      if (deps.isPrivate(project)) return { kind: 'absent', ageSeconds: 0, freshSeconds: 0 };
      const since = flights.running(project)?.startedAt ?? clock.monotonic();
      const here = pages.peek(project);
      const state = here ?? (await pages.get(project));
      // The upstream may have answered another client while the catalog was asked: one request is enough for both.
      if (here === undefined && state?.checked !== undefined && state.checked.monotonic >= since)
        return answer(project, state, 'upstream');
      const servable =
        state !== undefined && (state.kind === 'page' || state.age.age() <= limits.freshness.absenceKept);
      if (servable && freshLeft(state, clock, pageTtl) > 0 && (offline || patience.noCache !== true))
        return answer(project, state, 'disk');
      if (servable) return offline ? answer(project, state, 'disk') : revalidate(project, state, patience);
      if (offline) return unknown(project, 'nothing is kept of it, and this node is offline');
      return fetch(project, state, patience);
    },

    freshProject(project) {
      if (deps.isPrivate(project)) return undefined;
      const state = pages.peek(project);
      if (state?.kind !== 'page' || freshLeft(state, clock, pageTtl) === 0) return undefined;
      const now = answer(project, state, 'disk');
      return now.kind === 'page' && !now.stale ? now : undefined;
    },

    async kept(project) {
      if (deps.isPrivate(project)) return undefined;
      const state = pages.peek(project) ?? (await pages.get(project));
      if (state?.kind !== 'page') return undefined;
      if (!offline && freshLeft(state, clock, pageTtl) === 0) refreshBehind(project, state);
      return state.served;
    },
  };
}

function unknown(project: ProjectName, reason: string): ProjectAnswer {
  return {
    kind: 'unknown',
    reason: `${project}: ${reason}`,
    retryAfterSeconds: limits.gateway.retryAfterSeconds,
  };
}
