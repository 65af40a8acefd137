/**
 * Project pages in quorum and offline mode: what the head believes, with bytes from wherever they fit its digest.
 *
 * Must always hold: a private name is answered before anything is asked; "absent" is said only when the head believes it; an
 * age is never younger than the truth; beyond a day pages are refused unless the user allows it, while files by digest go
 * on; a page that publishers replaced is served a minute longer at most, and only while its successor cannot be had.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../core/clock.ts';
import { pageAge } from '../../core/belief/page-age.ts';
import type { Digest } from '../../core/digest.ts';
import type { FactEmitter, SourceKind } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import type { Catalog } from '../../store/catalog.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { IndexBelief, IndexHead } from '../follow/index-head.ts';
import { createMetadataMarks } from '../metadata-marks.ts';
import type { Patience, ProjectAnswer, ServedPage } from '../mirror.ts';
import { createFileNotes } from '../note-files.ts';
import type { FileOpener } from '../open-file.ts';
import type { ProjectPages } from '../project-pages.ts';
import { OUT_OF_TIME, waitFor } from '../wait-for.ts';
import { createDirectBridge } from './direct-bridge.ts';
import { createHeadTime } from './head-time.ts';
import { createOwnReadings } from './own-readings.ts';
import { createPageBytes } from './page-bytes.ts';
import { type BelievedPage, readBelievedPage } from './read-believed-page.ts';
import { createShownPages, type ShownPage } from './shown-pages.ts';

export interface BelievedPagesDeps {
  readonly head: IndexHead;
  readonly catalog: Pick<Catalog, 'page' | 'document' | 'putDocument' | 'putFileOrigins'>;
  readonly store: Pick<
    BlobStore,
    'open' | 'stat' | 'touch' | 'openPartial' | 'markVisibility' | 'visibility'
  >;
  readonly openFile: FileOpener['openFile'];
  readonly upstream: Pick<Upstream, 'page' | 'private' | 'status'>;
  readonly clock: Clock;
  readonly facts: Pick<FactEmitter, 'emit'>;
  readonly isPrivate: (project: ProjectName) => boolean;
}

export interface BelievedPagesOptions {
  /** Nothing leaves for the upstream: no reading of our own. */
  readonly offline: boolean;
  /** Serve what is older than a day. */
  readonly allowOld: boolean;
  /** When this mode began (`noteMode`), ms. */
  readonly modeSince: number;
  readonly cacheBytes?: number;
}

/** Disposing it ends the requests under way and waits for what is being written. */
export function createBelievedPages(deps: BelievedPagesDeps, options: BelievedPagesOptions): ProjectPages {
  const { head, catalog, store, upstream, clock, facts } = deps;
  const notes = createFileNotes({ catalog, store, facts, private: upstream.private });
  const marks = createMetadataMarks(catalog);
  const shown = createShownPages({ head, marks, clock, facts }, { cacheBytes: options.cacheBytes });
  const own = options.offline ? undefined : createOwnReadings({ upstream, head, clock });
  const bytes = createPageBytes({ ...deps, own, private: upstream.private });
  const { url: upstreamUrl } = upstream.status();
  const { modeSince: switchedAt } = options;
  const bridge = createDirectBridge({ catalog, clock, upstreamUrl, switchedAt });
  const now = createHeadTime(head, clock);
  const lastRead = new LRUCache<ProjectName, number>({ max: 10_000 });
  /** Believed pages whose bytes could not be had, and since when. */
  const missing = new LRUCache<Digest, number>({ max: 10_000 });
  let agedTold = -Infinity;
  let era = head.policyChanges?.();

  /** A page that was believed under another policy stands in for nothing. */
  function policyEra(): number | undefined {
    const now = head.policyChanges?.();
    if (now === era) return era;
    shown.forgetAll();
    lastRead.clear();
    missing.clear();
    return (era = now);
  }

  const ageOf = (since: number) => pageAge(since, now(), options.allowOld);

  function answer(project: ProjectName, page: ShownPage, source: SourceKind, since: number): ProjectAnswer {
    const { state, ms } = ageOf(since);
    const ageSeconds = Math.ceil(ms / 1000);
    if (state === 'refused') return unknown(project, 'nobody has vouched for its page for more than a day');
    const { served } = page;
    if (state === 'fresh') {
      const freshSeconds = Math.floor((limits.belief.fresh - ms) / 1000);
      return { kind: 'page', served, ageSeconds, freshSeconds, stale: false, source, decides: true };
    }
    facts.emit('page:stale-served', { project, ageSeconds });
    if (clock.monotonic() - agedTold >= limits.believed.agedTold) {
      agedTold = clock.monotonic();
      facts.emit('index:aged', { ageSeconds });
    }
    // An emptied project (quarantine) stays empty until somebody says otherwise; a newer release may just not be known here.
    const decides = served.page.files.length === 0;
    return { kind: 'page', served, ageSeconds, freshSeconds: 0, stale: true, source, decides };
  }

  function absent(project: ProjectName, since: number): ProjectAnswer {
    const { state, ms } = ageOf(since);
    if (state === 'refused')
      return unknown(project, 'nobody has vouched for its absence for more than a day');
    shown.forget(project);
    const freshSeconds = Math.max(0, Math.floor((limits.belief.fresh - ms) / 1000));
    return { kind: 'absent', ageSeconds: Math.ceil(ms / 1000), freshSeconds, decides: true };
  }

  /** What is believed after our own look at the upstream, where one is worth it and due. */
  async function consult(project: ProjectName, patience: Patience, until: number): Promise<IndexBelief> {
    const asked = head.believe(project, patience.signal);
    if (own === undefined) return inTime(asked, until, patience);
    const { revalidateWait, noCacheWait } = limits.freshness;
    const first = await waitFor(clock, asked, Math.min(revalidateWait, left(until)), patience.signal);
    const belief = first === OUT_OF_TIME ? unknownBelief('peers have not answered yet') : first;
    const isKnown = belief.kind !== 'unknown';
    const noCache = patience.noCache === true;
    if (isKnown && !noCache && ageOf(belief.since).state === 'fresh') return belief;
    const last = lastRead.get(project) ?? -Infinity;
    const gap = isKnown && !noCache ? limits.believed.readGap : limits.freshness.failureRecheck;
    if (clock.monotonic() - last < gap) return isKnown ? belief : inTime(asked, until, patience);
    lastRead.set(project, clock.monotonic());
    const source = belief.kind === 'page' ? belief : head.source?.();
    const troubled = own.troubled();
    const reading = own.read(project, source, { noCache });
    const wait = isKnown ? (troubled && !noCache ? 0 : noCache ? noCacheWait : revalidateWait) : left(until);
    if (wait <= 0) return belief;
    const done: Promise<unknown> = isKnown ? reading : Promise.all([reading, asked]);
    await waitFor(clock, done, Math.min(wait, left(until)), patience.signal);
    return inTime(head.believe(project, patience.signal), until, patience);
  }

  const left = (until: number): number => Math.max(0, until - clock.monotonic());

  async function inTime(
    asked: Promise<IndexBelief>,
    until: number,
    { signal }: Patience,
  ): Promise<IndexBelief> {
    const end = await waitFor(clock, asked, left(until), signal);
    return end === OUT_OF_TIME ? unknownBelief('peers have not answered yet') : end;
  }

  /** The believed page with its bytes; undefined, or why, when they are not here (in time). */
  async function load(
    project: ProjectName,
    belief: BelievedPage,
    believedIn: number | undefined,
    fetch: () => Promise<{ bytes: Uint8Array; source: SourceKind } | string>,
  ): Promise<{ page: ShownPage; source: SourceKind } | string> {
    if (shown.peek(project)?.content === belief.digest) {
      const page = await shown.look(project, belief.since);
      if (page?.content === belief.digest) return { page, source: 'disk' };
    }
    const got = await fetch();
    if (typeof got === 'string') return got;
    let read;
    try {
      read = readBelievedPage(got.bytes, project, belief, got.source);
    } catch (error) {
      return (error as Error).message;
    }
    if (policyEra() !== believedIn) return OTHER_POLICY;
    missing.delete(belief.digest);
    // What came from this disk was written down when it came there.
    notes.note(read, got.source === 'disk' ? read : undefined);
    const { digest: content, since, serial } = belief;
    const of = { page: read, content, since, serial: serialText(serial), bytes: got.bytes.length };
    const page = await shown.show(project, of);
    if (policyEra() === believedIn) return { page, source: got.source };
    shown.forget(project);
    return OTHER_POLICY;
  }

  async function servePage(
    project: ProjectName,
    belief: BelievedPage,
    believedIn: number | undefined,
    patience: Patience,
    until: number,
  ): Promise<ProjectAnswer> {
    if (ageOf(belief.since).state === 'refused')
      return unknown(project, 'nobody has vouched for its page for more than a day');
    const before = beforeOf(project, belief);
    const loaded = await load(project, belief, believedIn, async () => {
      const wait =
        before === undefined ? left(until) : Math.min(limits.freshness.revalidateWait, left(until));
      const end = await waitFor(clock, bytes.fetch(project, belief), wait, patience.signal);
      if (end === OUT_OF_TIME) return 'its page has not come yet';
      return end.kind === 'bytes' ? end : end.reason;
    });
    if (typeof loaded !== 'string') return answer(project, loaded.page, loaded.source, belief.since);
    noteMissing(belief);
    const previous = beforeOf(project, belief);
    return previous === undefined
      ? unknown(project, loaded)
      : answer(project, previous, 'disk', previous.since);
  }

  function noteMissing({ digest }: BelievedPage): void {
    if (!missing.has(digest)) missing.set(digest, clock.monotonic());
  }

  /** The page that was believed before, while it may stand in. */
  function beforeOf(project: ProjectName, belief: BelievedPage): ShownPage | undefined {
    const before = shown.peek(project);
    if (before === undefined || before.content === belief.digest) return undefined;
    const since = missing.get(belief.digest);
    const over = since !== undefined && clock.monotonic() - since >= limits.believed.pageBefore;
    return over ? undefined : before;
  }

  async function bridged(project: ProjectName, belief: IndexBelief): Promise<ShownPage | undefined> {
    const reading = await bridge.over(project, belief, now());
    if (reading === undefined) return undefined;
    const known = await shown.look(project, 0);
    if (known?.content === reading.content) return known;
    const { page, content, serial, readAt: since } = reading;
    return shown.show(project, { page, content, serial, since, bytes: 0 });
  }

  async function keptPage(project: ProjectName): Promise<ServedPage | undefined> {
    const believedIn = policyEra();
    const belief = await waitFor(clock, head.believe(project), limits.freshness.revalidateWait);
    if (belief === OUT_OF_TIME) return undefined;
    const standing = await bridged(project, belief);
    if (standing !== undefined) return standing.served;
    if (belief.kind !== 'page') return undefined;
    const loaded = await load(project, belief, believedIn, async () => {
      const held = await bytes.held(belief.digest);
      return held === undefined ? 'not on this disk' : { bytes: held, source: 'disk' };
    });
    if (typeof loaded !== 'string') return loaded.page.served;
    noteMissing(belief);
    void bytes.fetch(project, belief);
    return beforeOf(project, belief)?.served;
  }

  return {
    async project(project, patience = {}) {
      patience.signal?.throwIfAborted();
      if (deps.isPrivate(project)) return { kind: 'absent', ageSeconds: 0, freshSeconds: 0 };
      const believedIn = policyEra();
      const until = clock.monotonic() + (patience.wait ?? limits.gateway.wait);
      const belief = await consult(project, patience, until);
      const standing = await bridged(project, belief);
      if (standing !== undefined) return answer(project, standing, 'disk', standing.since);
      if (belief.kind === 'unknown') return unknown(project, belief.reason);
      if (belief.kind === 'absent') return absent(project, belief.since);
      return servePage(project, belief, believedIn, patience, until);
    },
    freshProject(project) {
      if (deps.isPrivate(project)) return undefined;
      policyEra();
      const page = shown.fresh(project);
      if (page === undefined || ageOf(page.since).state !== 'fresh') return undefined;
      const now = answer(project, page, 'disk', page.since);
      return now.kind === 'page' ? now : undefined;
    },
    kept: async (project) => (deps.isPrivate(project) ? undefined : keptPage(project)),
    upstreamTroubled: () => own?.troubled() ?? false,
    inUse: (project) => shown.peek(project) !== undefined,
    settled: notes.settled,
    async [Symbol.asyncDispose]() {
      await Promise.all([bytes[Symbol.asyncDispose](), own?.[Symbol.asyncDispose]()]);
      await notes.settled();
    },
  };
}

const OTHER_POLICY = 'the policy has become another one';

/** Upstreams without serials have 0 everywhere. */
function serialText(serial: number): string | undefined {
  return serial === 0 ? undefined : String(serial);
}

function unknownBelief(reason: string): IndexBelief {
  return { kind: 'unknown', reason };
}

function unknown(project: ProjectName, reason: string): ProjectAnswer {
  return {
    kind: 'unknown',
    reason: `${project}: ${reason}`,
    retryAfterSeconds: limits.gateway.retryAfterSeconds,
  };
}
