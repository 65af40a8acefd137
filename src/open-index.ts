/**
 * A node's part in the signed index: its own publisher, if it is one, and what it follows. `index/` in the data folder holds
 * the followed maps and what was believed, `publisher/` the own log. A publisher in direct mode
 * believes nobody: it answers peers, and takes hints from the publishers of its policy, if there is one.
 */
import { join } from 'node:path';
import type { Config } from './config.ts';
import type { Digest } from './core/digest.ts';
import { limits } from './core/limits.ts';
import type { Policy } from './core/log/policy.ts';
import { loadKnownPublishers } from './load-policy.ts';
import { createLevelFollowStates, createMemoryFollowStates } from './mirror/follow/follow-state.ts';
import { createFollower, type Follower } from './mirror/follow/follower.ts';
import type { IndexHead } from './mirror/follow/index-head.ts';
import { readAll } from './mirror/read-fully.ts';
import { openPublisher, type OpenPublisherDeps, type PublishSettings } from './open-publisher.ts';
import { openDiskIndexMaps } from './store/index-map/disk-index-maps.ts';
import { createMemoryIndexMaps } from './store/index-map/memory-index-maps.ts';
import { openLevel } from './store/open-level.ts';

export interface OpenIndexDeps extends OpenPublisherDeps {
  /** Nothing of the follower's is kept on disk. */
  readonly inMemory: boolean;
}

export interface OpenedIndex extends AsyncDisposable {
  /** Undefined in direct mode. */
  readonly head: IndexHead | undefined;
  /** Begins to listen and to ask. */
  start(): void;
}

/** @throws ConfigurationError for a key, folder or mode that cannot be used */
export async function openIndex(
  config: Config,
  wanted: { readonly policy: Policy | undefined; readonly publish: PublishSettings | undefined },
  deps: OpenIndexDeps,
): Promise<OpenedIndex> {
  const { policy, publish } = wanted;
  const { clock, facts, randomness, network, store } = deps;
  await using stack = new AsyncDisposableStack();
  const publisher = publish && stack.use(await openPublisher(config, publish, deps));
  const folder = join(config.dataDir, 'index');
  const maps = stack.use(
    deps.inMemory ? createMemoryIndexMaps() : await openDiskIndexMaps({ path: join(folder, 'map'), facts }),
  );
  const states = deps.inMemory
    ? createMemoryFollowStates()
    : createLevelFollowStates(stack.use(await openLevel(join(folder, 'state'), { clock, facts })));
  const blob = async (digest: Digest): Promise<Uint8Array | undefined> => {
    if (store.visibility(digest) !== 'public') return undefined;
    await using reader = await store.open(digest);
    return reader && (await readAll(reader, limits.page.listDecodedBytes, `the list ${digest}`));
  };
  const followed = policy ?? (await loadKnownPublishers(config)) ?? { k: 1, publishers: [] };
  const note = (error: unknown): void =>
    facts.emit('publisher:noted', { message: error instanceof Error ? error.message : String(error) });
  const follower: Follower = stack.use(
    await createFollower(
      {
        clock,
        randomness,
        facts,
        channel: network.index,
        maps,
        states,
        own: publisher?.index,
        blob,
        onHint: (hint) => void publisher?.hint(hint).catch(note),
        onAnnouncement: (announcement) => void publisher?.heard(announcement).catch(note),
      },
      { policy: followed, upstream: config.upstream },
    ),
  );
  const opened = stack.move();
  return {
    head: policy === undefined ? undefined : follower,
    start: () => follower.start(),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
