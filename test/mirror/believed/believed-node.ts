/** Believed pages over a head that believes what the test says, with memory stores, peers as a map, and a fake clock. */
import { hash } from 'node:crypto';
import type { Candidate } from '../../../src/core/belief/candidate.ts';
import { canonicalPage } from '../../../src/core/canonical-page.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { createFactEmitter, type FactName } from '../../../src/core/facts.ts';
import { parseProjectName, type ProjectName } from '../../../src/core/project-name.ts';
import { createProjectMatcher } from '../../../src/core/project-pattern.ts';
import { readPageJson } from '../../../src/core/read-page-json.ts';
import { createBelievedPages } from '../../../src/mirror/believed/believed-pages.ts';
import type { IndexBelief, IndexHead } from '../../../src/mirror/follow/index-head.ts';
import type { FileRef, OpenAnswer } from '../../../src/mirror/mirror.ts';
import type { ProjectPages } from '../../../src/mirror/project-pages.ts';
import type { BlobStore } from '../../../src/store/blob-store.ts';
import type { Catalog } from '../../../src/store/catalog.ts';
import { createMemoryBlobStore } from '../../../src/store/memory-blob-store.ts';
import { createMemoryCatalog } from '../../../src/store/memory-catalog.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import {
  createScriptedPages,
  INDEX,
  pageAnswer,
  type PageShape,
  type ScriptedPages,
} from '../scripted-upstream.ts';

export const FILES = 'https://files.test';
export const SOURCE = { upstream: INDEX, fileOrigin: FILES, format: 'json' } as const;

export interface HeadDouble extends IndexHead {
  /** Names that were asked for. */
  readonly asked: ProjectName[];
  readonly readings: { project: ProjectName; reading: Candidate; observedAt: number }[];
  put(project: ProjectName, belief: IndexBelief): void;
  retract(subject: string): void;
  /** As an own reading changes it. */
  onReading: (project: ProjectName, reading: Candidate, observedAt: number) => void;
  list: { name: ProjectName; serial: number }[];
  observed: number | undefined;
  changes: number;
}

export function createHeadDouble(clock: FakeClock): HeadDouble {
  const beliefs = new Map<ProjectName, IndexBelief>();
  const retracted = new Set<string>();
  let version = 1;
  const head: HeadDouble = {
    asked: [],
    readings: [],
    list: [],
    observed: clock.now(),
    changes: 0,
    policyChanges: () => head.changes,
    onReading: () => undefined,
    put(project, belief) {
      beliefs.set(project, belief);
      version++;
    },
    retract(subject) {
      retracted.add(subject);
    },
    async believe(project) {
      head.asked.push(project);
      return beliefs.get(project) ?? { kind: 'unknown', reason: 'too few publishers agree' };
    },
    now: () => clock.now(),
    serial: () => 1000,
    observedAt: () => head.observed,
    async *names() {
      yield* head.list;
    },
    version: () => String(version),
    retracted: (subject) => retracted.has(subject),
    async ownReading(project, reading, observedAt) {
      head.readings.push({ project, reading, observedAt });
      head.onReading(project, reading, observedAt);
    },
    status: () => {
      throw new Error('not asked for here');
    },
    source: () => SOURCE,
  };
  return head;
}

export interface SomePage {
  readonly project: ProjectName;
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly serial: number;
}

/** As a publisher would have it. */
export function somePage(clock: FakeClock, shape: PageShape & { serial: number }): SomePage {
  const answer = pageAnswer(clock, shape);
  if (answer.kind !== 'page') throw new Error('no page');
  const project = parseProjectName(shape.name ?? 'foo');
  const page = readPageJson(answer.body, { url: answer.url, project, strict: true });
  const bytes = canonicalPage(page, { fileOrigin: FILES });
  return { project, bytes, digest: hash('sha256', bytes, 'hex') as Digest, serial: shape.serial };
}

export interface BelievedNode extends ProjectPages {
  readonly clock: FakeClock;
  readonly head: HeadDouble;
  readonly upstream: ScriptedPages;
  readonly catalog: Catalog;
  readonly store: BlobStore;
  /** What peers have, by digest: possibly other bytes than they should. */
  readonly peers: Map<Digest, Uint8Array>;
  readonly peersAsked: FileRef[];
  readonly seen: { name: FactName; fact: unknown }[];
  /** Believes the page, last vouched for `age` ms ago. */
  believe(page: SomePage, age?: number): void;
  hold(page: SomePage): Promise<void>;
}

export interface BelievedOptions {
  readonly offline?: boolean;
  readonly allowOld?: boolean;
  readonly patterns?: string[];
  readonly modeSince?: number;
  readonly catalog?: Catalog;
  readonly clock?: FakeClock;
}

export function createBelievedNode(options: BelievedOptions = {}): BelievedNode {
  const { clock = createFakeClock(), catalog = createMemoryCatalog(), offline = true } = options;
  const facts = createFactEmitter();
  const seen: BelievedNode['seen'] = [];
  facts.onAny((name, fact) => void seen.push({ name, fact }));
  const store = createMemoryBlobStore({ clock, facts, quotaBytes: 1e9 });
  const head = createHeadDouble(clock);
  const upstream = createScriptedPages();
  const peers = new Map<Digest, Uint8Array>();
  const peersAsked: FileRef[] = [];
  const pages = createBelievedPages(
    {
      head,
      catalog,
      store,
      upstream,
      clock,
      facts,
      isPrivate: createProjectMatcher(options.patterns ?? []),
      async openFile(ref): Promise<OpenAnswer> {
        peersAsked.push(ref);
        const bytes = ref.digest && peers.get(ref.digest);
        if (bytes === undefined) return { kind: 'unknown', reason: 'no peer has it', retryAfterSeconds: 2 };
        return {
          kind: 'opened',
          file: {
            source: 'peer',
            complete: true,
            size: bytes.length,
            available: bytes.length,
            knownSize: async () => bytes.length,
            async read(target, offset) {
              const part = bytes.subarray(offset, offset + target.length);
              target.set(part);
              return part.length;
            },
            async [Symbol.asyncDispose]() {},
          },
        };
      },
    },
    {
      offline,
      allowOld: options.allowOld ?? false,
      modeSince: options.modeSince ?? clock.now() - 48 * 3_600_000,
    },
  );
  return {
    ...pages,
    clock,
    head,
    upstream,
    catalog,
    store,
    peers,
    peersAsked,
    seen,
    believe(page, age = 0) {
      const { digest, serial, bytes, project } = page;
      const since = clock.now() - age;
      head.put(project, {
        kind: 'page',
        digest,
        serial,
        length: bytes.length,
        since,
        ...SOURCE,
        apiVersion: '1.4',
      });
    },
    async hold({ bytes, digest }) {
      await using partial = await store.openPartial(digest);
      await partial.append(bytes, 'test');
      await partial.commit({ visibility: 'public' });
    },
  };
}
