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
import type { VerifierKey } from './core/log/verifier-key.ts';
import { limits } from './core/limits.ts';
import type { ProjectName } from './core/project-name.ts';
import { createPublisher, type Publisher } from './mirror/publish/publisher.ts';
import { createPublisherState } from './mirror/publish/publisher-state.ts';
import type { PeerNetwork } from './network/peer-network.ts';
import type { BlobStore } from './store/blob-store.ts';
import type { Catalog } from './store/catalog.ts';
import { openDiskIndexMaps } from './store/index-map/disk-index-maps.ts';
import { openLevel } from './store/open-level.ts';
import { readKeyFile } from './store/publisher-log/key-file.ts';
import { openDiskPublisherLog } from './store/publisher-log/open-publisher-log.ts';
import { createPypiUpstream } from './upstream/pypi.ts';
import type { Upstream } from './upstream/upstream.ts';

export interface PublishSettings {
  readonly keyFile: string;
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
  const signer = await readKeyFile(settings.keyFile);
  await using stack = new AsyncDisposableStack();
  const folder = join(config.dataDir, 'publisher');
  // The log first: its lock keeps a second publisher away from all of it.
  const log = stack.use(await openDiskPublisherLog({ folder, signers: [signer] }));
  const db = stack.use(await openLevel(join(folder, 'state'), { clock, facts }));
  const maps = stack.use(await openDiskIndexMaps({ path: join(folder, 'map'), facts }));
  const upstream =
    deps.upstream ??
    stack.use(
      createPypiUpstream({
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
        state: createPublisherState(db),
        store,
        network: network.index,
        clock,
        facts,
        isPrivate,
        popular: async function* () {
          for await (const { project } of catalog.pages()) yield project;
        },
        ownHeads: (signal) => headsInDht(network, signer.key, signal),
      },
      {
        keys: [signer.key],
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
  key: VerifierKey,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const valueKey = headValueKey(key);
  for await (const value of network.index.getValue(valueKey, { signal }))
    yield encodeAnnouncement(verifyHeadValue(valueKey, value).announcement);
}

/** So that what one publisher of PyPI saw first decides nothing. */
function usualFileOrigin(upstream: string): string | undefined {
  return new URL(upstream).hostname === 'pypi.org' ? 'https://files.pythonhosted.org' : undefined;
}
