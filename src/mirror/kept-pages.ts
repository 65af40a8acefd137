/**
 * Pages and absences as this node knows them: parsed ones in a bounded memory, the rest in the catalog. Always true: what
 * is in memory is what the catalog holds or newer, and what it does not hold yet is here; the same `ServedPage` is given until the page or what is said of its
 * metadata changes; a kept page that cannot be read counts as not kept; what another upstream said counts for nothing.
 */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.ts';
import type { Digest } from '../core/digest.ts';
import type { FactEmitter } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import type { ProjectName } from '../core/project-name.ts';
import type { ProjectPage } from '../core/project-page.ts';
import type { Catalog, KeptAbsence, KeptPage } from '../store/catalog.ts';
import type { MetadataMark, MetadataMarks } from './metadata-marks.ts';
import type { ServedPage } from './mirror.ts';
import { createAgeLine, elapsedSince, type AgeLine, type Moment } from './page-age.ts';
import type { PageReading } from './page-rules.ts';
import { readPage } from './read-page.ts';
import { createServedPage, digestVersion } from './served-page.ts';

type Validators = Pick<KeptPage, 'format' | 'url' | 'etag' | 'lastModified' | 'serial'>;

export interface PageState extends Validators {
  readonly kind: 'page';
  readonly served: ServedPage;
  readonly observedAt: number;
  readonly age: AgeLine;
  /** When the upstream last said that it is current; undefined when that is not known. */
  readonly checked: Moment | undefined;
  readonly absentSince: number | undefined;
  readonly olderSince: number | undefined;
  /** When the mark above was made, by the monotonic clock; undefined: before a restart, or there is none. */
  readonly markedAt: number | undefined;
  readonly content: string;
  readonly fileCount: number;
  readonly bytes: number;
}

interface AbsenceState {
  readonly kind: 'absent';
  readonly age: AgeLine;
  readonly checked: Moment | undefined;
}

export type KnownState = PageState | AbsenceState;

/** A page that was read from the upstream's answer. */
export interface ReadAnswer extends Validators, PageReading {
  readonly body: Uint8Array;
  readonly page: ProjectPage;
}

interface Writing {
  readonly state: KnownState;
  readonly done: Promise<void>;
}

export interface KeptPages {
  /** Resolves when the catalog has all that was taken. */
  settled(): Promise<void>;
  /** From memory alone. */
  peek(project: ProjectName): KnownState | undefined;
  /** From memory, else from the catalog. */
  get(project: ProjectName): Promise<KnownState | undefined>;
  /** A page that replaces what is kept. */
  take(project: ProjectName, answer: ReadAnswer, observedAt: number, checked: Moment): Promise<PageState>;
  /** The kept page is still current; `validators` when they were given anew. */
  confirm(
    project: ProjectName,
    state: PageState,
    observedAt: number,
    checked: Moment,
    validators?: ReadAnswer,
  ): Promise<PageState>;
  doubt(
    project: ProjectName,
    state: PageState,
    mark: 'absentSince' | 'olderSince',
    since: number,
  ): Promise<PageState>;
  takeAbsence(project: ProjectName, observedAt: number, checked: Moment): Promise<AbsenceState>;
}

/**
 * A parsed page weighs 2.2 times its JSON, 2.6 with its files looked up (68 real pages of 42 MB, all between 2.1 and 2.6 above
 * 100 KB): `node --expose-gc scripts/measure-page-weight.ts ../shared/fixtures/index`. Small ones have more around them.
 */
const PARSED_WEIGHT = 3;
const ENTRY_WEIGHT = 4096;
/** The highest wall time ever seen is written down when it has moved on by this much. */
const HIGHEST_EVERY = 60_000;

export interface KeptPagesDeps {
  readonly catalog: Pick<Catalog, 'page' | 'putPage' | 'document' | 'putDocument'>;
  readonly clock: Clock;
  readonly facts: Pick<FactEmitter, 'emit'>;
  readonly marks: Pick<MetadataMarks, 'of'>;
  /** URL of the index in use. */
  readonly upstreamUrl: string;
  /** Told of each page that was read, with the one it replaces. */
  readonly onPage: (page: ProjectPage, before: ProjectPage | undefined) => void;
}

export function createKeptPages(
  deps: KeptPagesDeps,
  options: { cacheBytes?: number | undefined } = {},
): KeptPages {
  const { catalog, clock, facts, marks, upstreamUrl } = deps;
  const memory = new LRUCache<ProjectName, KnownState>({
    maxSize: options.cacheBytes ?? limits.gateway.pageCache,
    sizeCalculation: (state) => ENTRY_WEIGHT + (state.kind === 'page' ? state.bytes * PARSED_WEIGHT : 0),
  });
  /** What the catalog does not have yet. */
  const writing = new Map<ProjectName, Writing>();
  const loading = new Map<ProjectName, Promise<KnownState | undefined>>();
  let highest: number | undefined;

  const known = (project: ProjectName): KnownState | undefined =>
    memory.get(project) ?? writing.get(project)?.state;

  /** A catalog that cannot be read costs what it says of metadata, not the page. */
  const marksOf = (project: ProjectName): Promise<ReadonlyMap<Digest, MetadataMark>> =>
    marks.of(project).catch(() => new Map());

  async function highestSeen(): Promise<number> {
    if (highest === undefined) {
      const stored = await catalog.document('clock', 'highest').catch(() => undefined);
      highest = typeof stored === 'number' ? stored : 0;
    }
    return highest;
  }

  /** A catalog that cannot be written (a full disk) costs the memory of this page after a restart, nothing else. */
  async function write(project: ProjectName, kept: KeptPage | KeptAbsence): Promise<void> {
    try {
      await catalog.putPage(project, { ...kept, upstream: upstreamUrl });
      const now = clock.now();
      if (now > (await highestSeen()) + HIGHEST_EVERY) {
        highest = now;
        await catalog.putDocument('clock', 'highest', now);
      }
    } catch (error) {
      facts.emit('storage:full', {
        message: `the page of ${project} could not be kept: ${(error as Error).message}`,
      });
    }
  }

  async function load(project: ProjectName): Promise<KnownState | undefined> {
    const kept = await catalog.page(project).catch(() => undefined);
    if (kept === undefined || (kept.upstream ?? upstreamUrl) !== upstreamUrl) return undefined;
    const age = createAgeLine(clock, kept.observedAt, await highestSeen());
    const checked =
      kept.observedAt <= clock.now()
        ? { wall: kept.observedAt, monotonic: clock.monotonic() - age.age() }
        : undefined;
    if (kept.kind === 'absent') return { kind: 'absent', age, checked };
    const read = readPage(kept, project);
    if (read === undefined) return undefined;
    deps.onPage(read.page, read.page);
    return pageState({ ...kept, ...read }, kept.observedAt, age, checked, await marksOf(project), kept);
  }

  function behind(project: ProjectName, state: KnownState, work: Promise<void>): void {
    const mine: Writing = {
      state,
      done: work.finally(() => {
        if (writing.get(project) === mine) writing.delete(project);
      }),
    };
    writing.set(project, mine);
  }

  /** Writes the kept page again with other facts; its bytes come from the catalog when the answer had none. */
  async function rewrite(
    project: ProjectName,
    state: PageState,
    body: Uint8Array | undefined,
  ): Promise<void> {
    if (body === undefined) {
      await writing.get(project)?.done;
      const kept = await catalog.page(project).catch(() => undefined);
      // The catalog may have missed a page (a full disk): an older body must not be called current, after a restart too.
      if (kept?.kind !== 'page' || hash('sha256', kept.body) !== state.content) return;
      body = kept.body;
    }
    const { format, url, etag, lastModified, serial, observedAt, absentSince, olderSince } = state;
    await write(project, {
      kind: 'page',
      body,
      format,
      url,
      etag,
      lastModified,
      serial,
      observedAt,
      absentSince,
      olderSince,
    });
  }

  return {
    peek: known,

    async settled() {
      await Promise.all([...writing.values()].map(({ done }) => done));
    },

    async get(project) {
      const here = known(project);
      if (here !== undefined) return here;
      let pending = loading.get(project);
      if (pending === undefined) {
        pending = load(project).finally(() => loading.delete(project));
        loading.set(project, pending);
      }
      const loaded = await pending;
      // A flight may have brought something newer meanwhile.
      const newer = known(project);
      if (newer !== undefined) return newer;
      if (loaded !== undefined) memory.set(project, loaded);
      return loaded;
    },

    async take(project, answer, observedAt, checked) {
      const before = memory.peek(project);
      const age = createAgeLine(clock, observedAt);
      const state = pageState(answer, observedAt, age, checked, await marksOf(project));
      memory.set(project, state);
      deps.onPage(answer.page, before?.kind === 'page' ? before.served.page : undefined);
      // Nobody waits for the disk: a page that a crash takes is asked for again.
      behind(project, state, rewrite(project, state, answer.body));
      facts.emit('page:refreshed', { project, changed: true });
      return state;
    },

    async confirm(project, state, observedAt, checked, validators) {
      const known = await marksOf(project);
      const { page, version, serial } = state.served;
      const same = digestVersion(page, state.content, known) === version;
      const next: PageState = {
        ...state,
        ...(validators === undefined ? {} : { etag: validators.etag, lastModified: validators.lastModified }),
        served: same
          ? state.served
          : createServedPage({ page, content: state.content, serial, marks: known }),
        observedAt,
        // An answer older than the last one (or under a clock that was set back) makes the page no younger.
        age: observedAt === state.observedAt ? state.age : createAgeLine(clock, observedAt),
        checked,
        absentSince: undefined,
        olderSince: undefined,
        markedAt: undefined,
      };
      memory.set(project, next);
      await rewrite(project, next, validators?.body);
      facts.emit('page:refreshed', { project, changed: !same });
      return next;
    },

    async doubt(project, state, mark, since) {
      const markedAt = state[mark] === since ? state.markedAt : clock.monotonic();
      const next: PageState = { ...state, [mark]: since, markedAt };
      memory.set(project, next);
      if (state[mark] !== since) await rewrite(project, next, undefined);
      return next;
    },

    async takeAbsence(project, observedAt, checked) {
      const state: AbsenceState = { kind: 'absent', age: createAgeLine(clock, observedAt), checked };
      memory.set(project, state);
      await write(project, { kind: 'absent', observedAt });
      facts.emit('page:refreshed', { project, changed: true });
      return state;
    },
  };
}

function pageState(
  read: Validators & Pick<ReadAnswer, 'page' | 'content' | 'body'>,
  observedAt: number,
  age: AgeLine,
  checked: Moment | undefined,
  known: ReadonlyMap<Digest, MetadataMark>,
  doubts: Pick<KeptPage, 'absentSince' | 'olderSince'> = { absentSince: undefined },
): PageState {
  const { page, content, serial, format, url, etag, lastModified } = read;
  return {
    kind: 'page',
    served: createServedPage({ page, content, serial, marks: known }),
    observedAt,
    age,
    checked,
    absentSince: doubts.absentSince,
    olderSince: doubts.olderSince,
    markedAt: undefined,
    content,
    fileCount: page.files.length,
    bytes: read.body.length,
    format,
    url,
    etag,
    lastModified,
    serial,
  };
}

/** What is left of its time to live, ms; 0 when it must be asked for again. */
export function freshLeft(state: KnownState, clock: Clock, ttl: number): number {
  if (state.checked === undefined) return 0;
  if (state.kind === 'page' && (state.absentSince !== undefined || state.olderSince !== undefined)) return 0;
  return Math.max(0, ttl - elapsedSince(clock, state.checked));
}
