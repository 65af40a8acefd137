/** Three publishers and a follower, all real, over one index in memory and under one clock that moves when told. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { createFactEmitter } from '../../../src/core/facts.ts';
import { headValueRules } from '../../../src/core/log/head-value.ts';
import type { Policy } from '../../../src/core/log/policy.ts';
import { generateKeyPair, parseSignerKey, type Signer } from '../../../src/core/log/signer-key.ts';
import { createMemoryFollowStates } from '../../../src/mirror/follow/follow-state.ts';
import { createFollower, type Follower } from '../../../src/mirror/follow/follower.ts';
import { createPublisher, type Publisher } from '../../../src/mirror/publish/publisher.ts';
import { createPublisherState } from '../../../src/mirror/publish/publisher-state.ts';
import { createMemoryWorld } from '../../../src/network/memory-peer-network.ts';
import { createMemoryIndexMaps } from '../../../src/store/index-map/memory-index-maps.ts';
import { createMemoryBlobStore } from '../../../src/store/memory-blob-store.ts';
import { createMemoryLogFiles } from '../../../src/store/publisher-log/log-files.ts';
import { openMemoryPublisherLog } from '../../../src/store/publisher-log/open-publisher-log.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createMemoryLevel } from '../../../src/store/memory-level.ts';
import { createMemoryShelf } from '../../support/memory-shelf.ts';
import { FakeIndex, INDEX } from '../publish/fake-index.ts';
import { MINUTE, settled } from '../publish/publisher-world.ts';

const SECOND = 1000;
const names = ['one.example', 'two.example', 'three.example'];

function signerOf(name: string): Signer {
  const bytes = (): Uint8Array => createHash('sha256').update(name).digest();
  return parseSignerKey(generateKeyPair(name, { bytes, float: () => 0.5 }).signerKey);
}

test('a project that changes every 5 s with three unaligned publishers is agreed at most 60 s late', async (t) => {
  await using stack = new AsyncDisposableStack();
  const clock = createFakeClock();
  const world = createMemoryWorld({ clock });
  const index = new FakeIndex(clock);
  const busy = index.change('busy');
  for (let i = 0; i < 20; i++) index.change(`quiet-${i}`);
  const signers = names.map(signerOf);
  const policy: Policy = {
    k: 2,
    publishers: signers.map(({ key }) => ({ name: key.name, key, url: undefined })),
  };
  const peers: string[] = [];

  const run = async (ms: number, step: () => Promise<void> | void = () => undefined): Promise<void> => {
    for (let left = ms; left > 0; left -= 500) {
      await step();
      await clock.advance(500);
      await settled();
    }
  };
  const join = async (peerId: string, signer?: Signer): Promise<Follower> => {
    const facts = createFactEmitter();
    facts.on('program:failed', ({ message }) => assert.fail(message));
    const node = world.node({
      peerId,
      shelf: createMemoryShelf(),
      connected: false,
      headValues: headValueRules,
      facts,
    });
    const maps = createMemoryIndexMaps();
    let publisher: Publisher | undefined;
    if (signer !== undefined)
      publisher = stack.use(
        await createPublisher(
          {
            upstream: index.upstream(),
            log: await openMemoryPublisherLog([signer], createMemoryLogFiles()),
            maps,
            state: createPublisherState(createMemoryLevel()),
            store: createMemoryBlobStore({ clock, facts, quotaBytes: 1e9 }),
            network: node.index,
            clock,
            facts,
            isPrivate: () => false,
            popular: async function* () {},
          },
          { keys: [signer.key], upstreamUrl: INDEX, projects: undefined, interval: MINUTE },
        ),
      );
    const follower = stack.use(
      await createFollower(
        {
          clock,
          randomness: { bytes: (length) => new Uint8Array(length), float: () => 0.5 },
          facts,
          channel: node.index,
          maps,
          states: createMemoryFollowStates(),
          own: publisher?.index,
          onHint: (hint) => void publisher?.hint(hint),
          onAnnouncement: (announcement) => void publisher?.heard(announcement),
        },
        { policy, upstream: INDEX },
      ),
    );
    follower.start();
    for (const other of peers) world.connect(peerId, other);
    peers.push(peerId);
    return follower;
  };

  // Their minutes begin 17 s apart.
  for (const [at, signer] of signers.entries()) {
    await join(names[at] ?? '', signer);
    await run(17 * SECOND);
  }
  const follower = await join('follower');
  await run(MINUTE);

  /** When each serial was replaced. */
  const replaced = new Map<number, number>();
  let [nextChange, worst, agreements] = [clock.now(), 0, new Set<number>()];
  const began = clock.now();
  await run(5 * MINUTE, async () => {
    if (clock.now() >= nextChange) {
      nextChange += 5 * SECOND;
      replaced.set(index.projects.get(busy)?.serial ?? 0, clock.now());
      index.change('busy');
    }
    const belief = await follower.believe(busy);
    assert.ok(belief.kind === 'page', belief.kind);
    agreements.add(belief.serial);
    const late = clock.now() - (replaced.get(belief.serial) ?? clock.now());
    assert.ok(follower.now() - belief.since >= 0);
    if (clock.now() - began > MINUTE) worst = Math.max(worst, late);
  });
  t.diagnostic(`at worst ${worst / SECOND} s late, ${agreements.size} of ${replaced.size} pages agreed on`);
  assert.ok(worst <= MINUTE, `${worst} ms late`);
  assert.ok(agreements.size >= 5);
});
