/**
 * A node's publisher with its files: `publisher/` in the data folder holds its log (one process at a time), its map, and what
 * it read so far. It asks the upstream over connections of its own, once for each call, so that its manners are its own.
 */
import { join } from 'node:path';
import type { Config } from './config.ts';
import type { Clock, Randomness } from './core/clock.ts';
import { ConfigurationError } from './core/errors.ts';
import type { FactEmitter } from './core/facts.ts';
import { headValueKey, verifyHeadValue } from './core/log/head-value.ts';
import { encodeAnnouncement } from './core/log/announcement.ts';
import type { Signer } from './core/log/signer-key.ts';
import type { VerifierKey } from './core/log/verifier-key.ts';
import { limits } from './core/limits.ts';
import type { ProjectName } from './core/project-name.ts';
import { createPublisher, type Publisher } from './mirror/publish/publisher.ts';
import { createPublisherState, type PublisherState } from './mirror/publish/publisher-state.ts';
import type { PeerNetwork } from './network/peer-network.ts';
import type { BlobStore } from './store/blob-store.ts';
import type { Catalog } from './store/catalog.ts';
import { openDiskIndexMaps } from './store/index-map/disk-index-maps.ts';
import type { IndexMaps } from './store/index-map/index-maps.ts';
import { openLevel } from './store/open-level.ts';
import { readKeyFile } from './store/publisher-log/key-file.ts';
import { openDiskPublisherLog } from './store/publisher-log/open-publisher-log.ts';
import type { PublisherLog } from './store/publisher-log/publisher-log.ts';
import type { Upstream } from './upstream/upstream.ts';

/** What a publisher keeps. */
export interface PublisherParts {
  readonly signers: readonly [Signer, ...Signer[]];
  readonly log: PublisherLog;
  readonly maps: IndexMaps;
  readonly state: PublisherState;
}

export interface PublishSettings {
  readonly keyFile: string;
  /** In place of the key files and of `publisher/` in the data folder; who made them disposes of them. */
  readonly parts?: PublisherParts | undefined;
  /** Of the key that is to take over. */
  readonly nextKeyFile?: string | undefined;
  /** Undefined: all that the upstream lists. */
  readonly projects: readonly ProjectName[] | undefined;
  /** Ms. */
  readonly interval: number;
  /** Undefined: that of the first page's files. */
  readonly fileOrigin?: string | undefined;
}

export interface OpenPublisherDeps {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly facts: FactEmitter;
  readonly store: BlobStore;
  readonly catalog: Pick<Catalog, 'pages'>;
  readonly network: Pick<PeerNetwork, 'index'>;
  readonly isPrivate: (project: ProjectName) => boolean;
  readonly version: string;
  /** In place of its own. */
  readonly upstream?: Upstream | undefined;
}

/** @throws ConfigurationError for a key, folder or mode that cannot publish; InvalidLogError LOG_DAMAGED */
export async function openPublisher(
  config: Config,
  settings: PublishSettings,
  deps: OpenPublisherDeps,
): Promise<Publisher> {
  const { clock, randomness, facts, store, catalog, network, isPrivate } = deps;
  checkMode(config);
  await using stack = new AsyncDisposableStack();
  const { signers, log, maps, state } =
    settings.parts ?? (await openParts(join(config.dataDir, 'publisher'), settings, deps, stack));
  const [{ key }, ...more] = signers;
  const keys = [key, ...more.map((signer) => signer.key)] as const;
  const upstream =
    deps.upstream ??
    stack.use(
      (await import('./upstream/pypi.ts')).createPypiUpstream({
        url: config.upstream,
        proxy: config.proxy,
        caFiles: config.caFiles,
        userAgent: `fondue-mirror/${deps.version} (publisher of a signed index)`,
        clock,
        randomness,
        facts,
        limits: {
          parallel: limits.publish.parallel,
          attempts: 1,
          restPatience: 0,
          retryAfterMax: limits.publish.restMax,
        },
      }),
    );
  const publisher = stack.use(
    await createPublisher(
      {
        upstream,
        log,
        maps,
        state,
        store,
        network: network.index,
        clock,
        facts,
        isPrivate,
        popular: async function* () {
          for await (const { project } of catalog.pages()) yield project;
        },
        ownHeads: (signal) => headsInDht(network, keys, signal),
      },
      {
        keys,
        upstreamUrl: config.upstream,
        projects: settings.projects,
        interval: settings.interval,
        fileOrigin: settings.fileOrigin ?? usualFileOrigin(config.upstream),
      },
    ),
  );
  const opened = stack.move();
  return { ...publisher, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function openParts(
  folder: string,
  { keyFile, nextKeyFile }: PublishSettings,
  { clock, facts }: OpenPublisherDeps,
  stack: AsyncDisposableStack,
): Promise<PublisherParts> {
  const next = nextKeyFile === undefined ? [] : [await readKeyFile(nextKeyFile)];
  const signers = [await readKeyFile(keyFile), ...next] as const;
  // The log first: its lock keeps a second publisher away from all of it.
  const log = stack.use(await openDiskPublisherLog({ folder, signers }));
  const db = stack.use(await openLevel(join(folder, 'state'), { clock, facts }));
  const maps = stack.use(await openDiskIndexMaps({ path: join(folder, 'map'), facts }));
  return { signers, log, maps, state: createPublisherState(db) };
}

function checkMode(config: Config): void {
  if (config.mode === 'offline')
    throw new ConfigurationError(
      'usage',
      'a publisher reads the upstream, and --offline forbids it',
      'leave --offline out',
    );
  if (config.privateUpstream)
    throw new ConfigurationError(
      'usage',
      `publishing would tell everybody what ${config.upstream} holds, and it is private`,
      config.upstreamCredentials === undefined
        ? 'give --no-private-upstream if everybody may have it'
        : 'publish an upstream that needs no password',
    );
}

async function* headsInDht(
  network: Pick<PeerNetwork, 'index'>,
  keys: readonly VerifierKey[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const valueKey of keys.map(headValueKey))
    for await (const value of network.index.getValue(valueKey, { signal }))
      yield encodeAnnouncement(verifyHeadValue(valueKey, value).announcement);
}

/** So that what one publisher of PyPI saw first decides nothing. */
function usualFileOrigin(upstream: string): string | undefined {
  return new URL(upstream).hostname === 'pypi.org' ? 'https://files.pythonhosted.org' : undefined;
}
