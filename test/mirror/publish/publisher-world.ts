/** A publisher over an index in memory, with a clock that moves when told, on a "disk" that outlives it. */
import { createHash } from 'node:crypto';
import { createFactEmitter, type FactName, type Facts } from '../../../src/core/facts.ts';
import { generateKeyPair, parseSignerKey } from '../../../src/core/log/signer-key.ts';
import type { IndexEntry } from '../../../src/core/index-map/index-entry.ts';
import { decodeNames } from '../../../src/core/index-map/name-list.ts';
import type { IndexRecord } from '../../../src/core/log/record.ts';
import { parseProjectName, type ProjectName } from '../../../src/core/project-name.ts';
import { createProjectMatcher } from '../../../src/core/project-pattern.ts';
import {
  createPublisher,
  type Publisher,
  type PublisherDeps,
  type PublisherOptions,
} from '../../../src/mirror/publish/publisher.ts';
import { createPublisherState } from '../../../src/mirror/publish/publisher-state.ts';
import { readAll } from '../../../src/mirror/read-fully.ts';
import { createMemoryIndexMaps } from '../../../src/store/index-map/memory-index-maps.ts';
import { createMemoryBlobStore } from '../../../src/store/memory-blob-store.ts';
import { createMemoryLogFiles } from '../../../src/store/publisher-log/log-files.ts';
import { openMemoryPublisherLog } from '../../../src/store/publisher-log/open-publisher-log.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { createMemoryLevel } from '../../../src/store/memory-level.ts';
import { FakeIndex, type FakeIndexOptions, INDEX } from './fake-index.ts';

export interface WorldOptions extends FakeIndexOptions {
  readonly projects?: readonly string[];
  readonly private?: readonly string[];
  readonly popular?: readonly string[];
  readonly interval?: number;
  readonly ownHeads?: PublisherDeps['ownHeads'];
  readonly clock?: FakeClock;
}

export const MINUTE = 60_000;

const seed = (text: string): Uint8Array => createHash('sha256').update(text).digest();

export async function createWorld(options: WorldOptions = {}) {
  const clock = options.clock ?? createFakeClock();
  const index = new FakeIndex(clock, options);
  const facts = createFactEmitter();
  const seen: { [K in FactName]?: Facts[K][] } = {};
  facts.onAny((name, fact) => void ((seen[name] ??= []) as unknown[]).push(fact));
  const db = createMemoryLevel();
  const maps = createMemoryIndexMaps();
  const store = createMemoryBlobStore({ clock, facts, quotaBytes: 1e9 });
  const logFiles = createMemoryLogFiles();
  const keyPair = generateKeyPair('publisher.test/one', { bytes: () => seed('one'), float: () => 0.5 });
  const signer = parseSignerKey(keyPair.signerKey);
  const published: Uint8Array[] = [];
  const log = await openMemoryPublisherLog([signer], logFiles);
  let publisher: Publisher | undefined;

  const world = {
    clock,
    index,
    seen,
    store,
    maps,
    db,
    log,
    signer,
    published,
    state: createPublisherState(db),
    map: maps.view('published'),
    get publisher(): Publisher {
      if (publisher === undefined) throw new Error('not started');
      return publisher;
    },
    get record(): IndexRecord {
      if (log.head === undefined) throw new Error('nothing was signed');
      return log.head.record;
    },
    logFiles,
    async start(
      more: Partial<PublisherDeps> = {},
      projects = options.projects,
      keys: PublisherOptions['keys'] = [signer.key],
    ): Promise<void> {
      publisher = await createPublisher(
        {
          upstream: index.upstream(),
          log,
          maps,
          state: world.state,
          store,
          network: {
            publish: async (message) => void published.push(message),
            putValue: async () => 0,
          },
          clock,
          facts,
          isPrivate: createProjectMatcher(options.private ?? []),
          popular: async function* () {
            yield* (options.popular ?? []).map(parseProjectName);
          },
          ...(options.ownHeads === undefined ? {} : { ownHeads: options.ownHeads }),
          ...more,
        },
        {
          keys,
          upstreamUrl: INDEX,
          projects: projects?.map(parseProjectName),
          interval: options.interval ?? MINUTE,
        },
      );
      await clock.advance(0);
    },
    async stop(): Promise<void> {
      await publisher?.[Symbol.asyncDispose]();
      publisher = undefined;
    },
    /** In steps, so that promises settle between. */
    async run(ms: number): Promise<void> {
      for (let left = ms; left > 0; left -= 250) {
        await clock.advance(Math.min(250, left));
        await settled();
      }
    },
    async entry(name: ProjectName): Promise<IndexEntry | undefined> {
      const answer = await maps.view('published').get(name);
      return typeof answer === 'object' ? answer : undefined;
    },
    /** The canonical page that the map names. */
    async page(name: ProjectName): Promise<{ files: { filename: string; url: string }[] } | undefined> {
      const entry = await world.entry(name);
      if (entry === undefined) return undefined;
      await using blob = await store.open(entry.digest);
      if (blob === undefined) throw new Error(`the page of ${name} is not held`);
      return JSON.parse(Buffer.from(await readAll(blob, 1e6, entry.digest)).toString()) as never;
    },
    async stale(): Promise<ProjectName[]> {
      const { stale } = world.record;
      if (stale === null) return [];
      await using blob = await store.open(stale);
      if (blob === undefined) throw new Error('the stale names are not held');
      return decodeNames(await readAll(blob, 1e6, stale));
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await world.stop();
    },
  };
  return world;
}

export type World = Awaited<ReturnType<typeof createWorld>>;

/** Promises over several turns: maps and blobs are looked into one after the other. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve));
}
