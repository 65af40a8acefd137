/** Two groups that are cut apart and healed, under an injected clock. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createFollowWorld, policyOf, serialOf, type TestFollower, threePublishers } from './follow-world.ts';
import { pair } from './publisher-double.ts';

const MINUTE = 60_000;

describe('two groups cut apart for an hour (injected clock)', () => {
  let made: Awaited<ReturnType<typeof groups>>;
  const all = (): TestFollower[] => [...made.left, ...made.right];

  before(async () => {
    made = await groups();
  });
  after(async () => {
    for (const node of all()) await node.close();
  });

  it('ages reported during the cut are never younger than the truth, on either side', async () => {
    const { world, left, right } = made;
    /** When each serial was replaced upstream. */
    const replaced = new Map<number, number>();
    const cutAt = world.clock.now();
    await hour(made, async (minute) => {
      replaced.set(minute, world.clock.now());
      for (const node of all()) {
        const foo = await node.believes('foo');
        assert.ok(foo.kind === 'page');
        const age = node.follower.now() - foo.since;
        const gone = replaced.get(foo.serial);
        const truth = gone === undefined ? 0 : world.clock.now() - gone;
        assert.ok(age >= truth, `minute ${minute}: ${age} ms is said of what is at least ${truth} ms old`);
        // Two of three said it last before the cut, however fresh the one that is seen is.
        if (left.includes(node)) assert.ok(age >= world.clock.now() - cutAt, `minute ${minute}: ${age}`);
      }
    });
    // Who hears of a record before its neighbour has it asks again a moment later.
    await world.clock.advance(5_000);
    for (const node of left) assert.equal(serialOf(await node.believes('foo')), 1);
    for (const node of right) assert.equal(serialOf(await node.believes('foo')), 61);
  });

  it('healed they converge on the newest head in one anti-entropy round of 30 s, without new gossip', async () => {
    const { world, left, right, names } = made;
    // The publishers are silent, and only the two in the middle meet.
    const heard = messagesOf(all());
    world.connect(left[0].peerId, right[0].peerId);
    await world.clock.advance(30_000);
    await world.settle();
    const newest = await right[0].believes('foo');
    assert.equal(serialOf(newest), 61);
    for (const node of all()) assert.deepEqual(await node.believes('foo'), newest);
    for (const name of names) {
      const sizes = all().map(({ follower }) => sizeOf(follower.status().voters, name));
      assert.deepEqual(sizes, [61, 61, 61, 61], name);
    }
    assert.equal(messagesOf(all()), heard, 'something was gossiped');
  });
});

type Two = readonly [TestFollower, TestFollower];

/** Two followers on each side, one behind the other; one publisher on the left, two on the right. Not cut yet. */
async function groups() {
  const world = createFollowWorld();
  const { doubles, nodes, names } = await threePublishers(world, { foo: pair(1) });
  const policy = policyOf(2, doubles);
  const side = async (publishers: readonly string[]): Promise<Two> => {
    const near = await world.follower(policy, { connected: publishers });
    return [near, await world.follower(policy, { connected: [near.peerId] })];
  };
  const left = await side(names.slice(0, 1));
  const right = await side(names.slice(1));
  world.connect(left[0].peerId, right[0].peerId);
  await world.clock.advance(MINUTE);
  await world.settle();
  for (const node of [...left, ...right]) assert.equal(serialOf(await node.believes('foo')), 1);
  return { world, left, right, nodes, names };
}

/** Cut. Every minute the project changes, and each publisher says so on its side. */
async function hour(
  { world, nodes, left, right }: Awaited<ReturnType<typeof groups>>,
  look: (minute: number) => Promise<void>,
): Promise<void> {
  world.disconnect(left[0].peerId, right[0].peerId);
  for (let minute = 1; minute <= 60; minute++) {
    await world.clock.advance(MINUTE);
    for (const { says } of nodes) await says({ set: { foo: pair(1 + minute) } });
    await world.settle(8);
    await look(minute);
  }
}

function sizeOf(
  voters: readonly { readonly origin: string; readonly size: number }[],
  origin: string,
): number {
  return voters.find((voter) => voter.origin === origin)?.size ?? 0;
}

const messagesOf = (nodes: readonly TestFollower[]): number =>
  nodes.reduce(
    (sum, { told }) => sum + told.filter(({ name }) => name === 'index:message-received').length,
    0,
  );
