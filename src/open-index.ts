/**
 * A node's part in the signed index: its own publisher, if it is one, and what it follows. `index/` in the data folder holds
 * the followed maps and what was believed, `publisher/` the own log. A publisher in direct mode
 * believes nobody: it answers peers, and takes hints from the publishers of its policy, if there is one.
 */
import { join } from 'node:path';
import type { Config } from './config.ts';
import type { Policy } from './core/log/policy.ts';
import { loadKnownPublishers, rereadPolicy } from './load-policy.ts';
import type { Administration } from './mirror/administration.ts';
import {
  createLevelFollowStates,
  createMemoryFollowStates,
  type FollowStates,
} from './mirror/follow/follow-state.ts';
import { createChangingFollower } from './mirror/follow/changing-follower.ts';
import type { IndexHead } from './mirror/follow/index-head.ts';
import { readNamesBlob } from './mirror/follow/names-blob.ts';
import { watchPolicy } from './mirror/follow/watch-policy.ts';
import { openPublisher, type OpenPublisherDeps, type PublishSettings } from './open-publisher.ts';
import { openDiskIndexMaps } from './store/index-map/disk-index-maps.ts';
import type { IndexMaps } from './store/index-map/index-maps.ts';
import { createMemoryIndexMaps } from './store/index-map/memory-index-maps.ts';
import { openLevel } from './store/open-level.ts';

/** What a follower keeps. */
export interface FollowerStorage {
  readonly maps: IndexMaps;
  readonly states: FollowStates;
}

export interface OpenIndexDeps extends OpenPublisherDeps {
  /** In place of the data folder's; who made it disposes of it. */
  readonly storage?: FollowerStorage | undefined;
  /** Nothing of the follower's is kept on disk. */
  readonly inMemory: boolean;
}

export interface OpenedIndex extends AsyncDisposable {
  /** Undefined in direct mode. */
  readonly head: IndexHead | undefined;
  /** A publisher where something is published, a policy to be read where it is from a file. */
  readonly administration: Pick<Administration, 'publisher' | 'readPolicy'>;
  /** Why what the policy's file says is not lived by. */
  policyProblem(): string | undefined;
  /** Begins to listen and to ask. */
  start(): void;
}

/** @throws ConfigurationError for a key, folder or mode that cannot be used */
export async function openIndex(
  config: Config,
  wanted: {
    readonly policy: Policy | undefined;
    /** Whom a publisher in direct mode listens to, in place of the policy's file. */
    readonly known?: Policy | undefined;
    readonly publish: PublishSettings | undefined;
  },
  deps: OpenIndexDeps,
): Promise<OpenedIndex> {
  const { policy, known, publish } = wanted;
  const { clock, facts, randomness, network, store } = deps;
  await using stack = new AsyncDisposableStack();
  const publisher = publish && stack.use(await openPublisher(config, publish, deps));
  const { maps, states } = deps.storage ?? (await openStorage(config, deps, stack));
  const followed = policy ?? known ?? (await loadKnownPublishers(config));
  const note = (error: unknown): void =>
    facts.emit('publisher:noted', { message: error instanceof Error ? error.message : String(error) });
  const follower = stack.use(
    await createChangingFollower(
      {
        clock,
        randomness,
        facts,
        channel: network.index,
        maps,
        states,
        own: publisher?.index,
        blob: publisher && ((digest) => readNamesBlob(store, digest)),
        onHint: (hint) => void publisher?.hint(hint).catch(note),
        onAnnouncement: (announcement) => void publisher?.heard(announcement).catch(note),
      },
      { policy: followed, upstream: config.upstream },
    ),
  );
  const watch =
    known === undefined
      ? stack.use(
          watchPolicy(
            {
              clock,
              facts,
              source: config.policy,
              read: () => rereadPolicy(config),
              apply: (next) => follower.change(next),
            },
            followed,
          ),
        )
      : undefined;
  const opened = stack.move();
  return {
    head: policy === undefined ? undefined : follower,
    administration: { publisher, readPolicy: watch && (() => watch.look()) },
    policyProblem: () => watch?.problem(),
    start() {
      follower.start();
      watch?.start();
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function openStorage(
  config: Config,
  { clock, facts, inMemory }: OpenIndexDeps,
  stack: AsyncDisposableStack,
): Promise<FollowerStorage> {
  if (inMemory) return { maps: stack.use(createMemoryIndexMaps()), states: createMemoryFollowStates() };
  const folder = join(config.dataDir, 'index');
  const maps = stack.use(await openDiskIndexMaps({ path: join(folder, 'map'), facts }));
  const db = stack.use(await openLevel(join(folder, 'state'), { clock, facts }));
  return { maps, states: createLevelFollowStates(db) };
}
