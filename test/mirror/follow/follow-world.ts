/** Publishers and followers on memory channels under one fake clock. */
import assert from 'node:assert/strict';
import { createFactEmitter, type FactEmitter, type FactName, type Facts } from '../../../src/core/facts.ts';
import { headValueRules } from '../../../src/core/log/head-value.ts';
import type { Policy } from '../../../src/core/log/policy.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { createIndexAnswers } from '../../../src/mirror/follow/answer-index.ts';
import { createMemoryFollowStates, type FollowStates } from '../../../src/mirror/follow/follow-state.ts';
import {
  type ChangingFollower,
  createChangingFollower,
} from '../../../src/mirror/follow/changing-follower.ts';
import type { FollowerOptions } from '../../../src/mirror/follow/follower.ts';
import type { IndexBelief } from '../../../src/mirror/follow/index-head.ts';
import type { IndexChannel, IndexHandler } from '../../../src/network/index-channel.ts';
import { createMemoryWorld, type MemoryNode } from '../../../src/network/memory-peer-network.ts';
import type { IndexMaps } from '../../../src/store/index-map/index-maps.ts';
import { createMemoryIndexMaps } from '../../../src/store/index-map/memory-index-maps.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createMemoryShelf } from '../../support/memory-shelf.ts';
import { createPublisherDouble, type PublisherDouble, type Says, UPSTREAM } from './publisher-double.ts';

export interface TestFollower {
  readonly peerId: string;
  readonly follower: ChangingFollower;
  readonly facts: FactEmitter;
  readonly told: { readonly name: FactName; readonly fact: Facts[FactName] }[];
  readonly maps: IndexMaps;
  readonly states: FollowStates;
  readonly index: IndexChannel;
  believes(name: string): Promise<IndexBelief>;
  /** Codes that were refused so far. */
  refused(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

export interface FollowerSetup {
  readonly peerId?: string;
  readonly policy?: Policy;
  readonly connected?: readonly string[];
  readonly maps?: IndexMaps;
  readonly states?: FollowStates;
  readonly options?: Partial<FollowerOptions>;
  readonly own?: PublisherDouble;
}

export const START = Date.UTC(2026, 10, 22);

export function policyOf(k: number, publishers: readonly PublisherDouble[]): Policy {
  return {
    k,
    publishers: publishers.map(({ name, signer }) => ({ name, key: signer.key, url: undefined })),
  };
}

export function createFollowWorld() {
  const clock = createFakeClock(START);
  const world = createMemoryWorld({ clock });
  let made = 0;
  let ids = 0;

  function node(peerId: string, facts?: FactEmitter): MemoryNode {
    const shelf = createMemoryShelf();
    return world.node({
      peerId,
      shelf,
      connected: false,
      headValues: headValueRules,
      ...(facts === undefined ? {} : { facts }),
    });
  }

  /** Lets everything that does not wait for time happen. */
  async function settle(turns = 60): Promise<void> {
    for (let turn = 0; turn < turns; turn++) await clock.advance(0);
  }

  /** For what waits for a disk: real time passes, and some of the fake one. */
  async function until(done: () => boolean): Promise<void> {
    for (let turn = 0; turn < 2000; turn++) {
      if (done()) return;
      await clock.advance(10);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    throw new Error('it did not happen');
  }

  return {
    clock,
    settle,
    until,
    connect: (a: string, b: string) => world.connect(a, b),
    disconnect: (a: string, b: string) => world.disconnect(a, b),

    /** A node that answers for a publisher, and may gossip what it signs. */
    serve(publisher: PublisherDouble, peerId = publisher.name, wrap = (handler: IndexHandler) => handler) {
      const { index } = node(peerId);
      index.serve(
        wrap(
          createIndexAnswers({
            sources: () => [publisher.source],
            misconduct: () => [],
            names: async (digest) => publisher.lists.get(digest),
            pastBundles: () => [],
          }),
        ),
      );
      index.onMessage(async () => 'accept');
      return {
        peerId,
        index,
        publisher,
        async says(says: Omit<Says, 'at'> & { at?: number }): Promise<void> {
          await index.publish(await publisher.sign({ at: clock.now(), ...says }));
        },
      };
    },

    publisher: (name: string) => createPublisherDouble(name, ++made),

    async follower(policy: Policy, setup: FollowerSetup = {}): Promise<TestFollower> {
      const facts = createFactEmitter();
      const told: TestFollower['told'] = [];
      facts.onAny((name, fact) => void told.push({ name, fact }));
      const peerId = setup.peerId ?? `follower-${++ids}`;
      const network = node(peerId, facts);
      const maps = setup.maps ?? createMemoryIndexMaps();
      const states = setup.states ?? createMemoryFollowStates();
      const randomness = { bytes: (length: number) => new Uint8Array(length), float: () => 0.5 };
      const follower = await createChangingFollower(
        { clock, randomness, facts, channel: network.index, maps, states, own: setup.own?.source },
        { policy, upstream: UPSTREAM, ...setup.options },
      );
      follower.start();
      for (const other of setup.connected ?? []) world.connect(peerId, other);
      return {
        peerId,
        follower,
        facts,
        told,
        maps,
        states,
        index: network.index,
        refused: () => follower.status().refused,
        async believes(name) {
          const belief = follower.believe(parseProjectName(name));
          await settle(20);
          return belief;
        },
        async close() {
          await follower[Symbol.asyncDispose]();
          await network[Symbol.asyncDispose]();
          const failed = told.filter((one) => one.name === 'program:failed');
          assert.deepEqual(failed, []);
        },
      };
    },
  };
}

export type FollowWorld = ReturnType<typeof createFollowWorld>;

type Three<T> = readonly [T, T, T];
type Served = ReturnType<FollowWorld['serve']>;

/** Three publishers that have said the same, each on a node of its own. */
export async function threePublishers(
  world: FollowWorld,
  set: Says['set'] = {},
): Promise<{
  readonly doubles: Three<PublisherDouble>;
  readonly nodes: Three<Served>;
  readonly names: readonly string[];
}> {
  const made: PublisherDouble[] = [];
  for (const name of ['a.example', 'b.example', 'c.example']) made.push(await world.publisher(name));
  const doubles = made as unknown as Three<PublisherDouble>;
  const nodes = doubles.map((double) => world.serve(double)) as unknown as Three<Served>;
  for (const double of doubles) await double.sign({ at: world.clock.now(), set });
  return { doubles, nodes, names: doubles.map(({ name }) => name) };
}

export function serialOf(belief: IndexBelief): number | string {
  return belief.kind === 'page' ? belief.serial : belief.kind;
}
