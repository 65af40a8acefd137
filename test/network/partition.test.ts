import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { holdersOf } from '../contracts/peer-network.ts';
import { createLibp2pWorld } from '../support/libp2p-world.ts';
import type { TestNode } from '../support/libp2p-world.ts';
import { createMemoryShelf, digestOf, someBytes } from '../support/memory-shelf.ts';

const meets = (node: TestNode, other: TestNode): boolean =>
  node.status().peers.some(({ peerId }) => peerId === other.peerId);

describe('a network that was cut in two', { timeout: 60_000 }, () => {
  it('is whole again within two minutes of the heal, without any bootstrap', async () => {
    await using world = createLibp2pWorld();
    const seed = await world.node();
    const shelf = createMemoryShelf();
    const west = [
      await world.node({ bootstrap: [seed.address] }),
      await world.node({ bootstrap: [seed.address] }),
    ];
    const east = [
      await world.node({ bootstrap: [seed.address], shelf }),
      await world.node({ bootstrap: [seed.address] }),
    ];
    const all = [...west, ...east];
    const others = (node: TestNode): TestNode[] => all.filter((other) => other !== node);
    await world.hurry(600_000, () => all.every((node) => others(node).every((other) => meets(node, other))));
    // They fetched something from each other: who dialled remembers.
    const some = digestOf(new Uint8Array(1));
    for (const node of all) {
      for (const { peerId } of others(node))
        node.judge(peerId, { kind: 'verified', digest: some, bytes: 1, ms: 1 });
    }
    await seed[Symbol.asyncDispose]();

    world.cut(west, east);
    const apart = (): boolean => west.every((a) => east.every((b) => !meets(a, b) && !meets(b, a)));
    await world.hurry(10_000, apart);
    await world.pass(60_000);
    assert.ok(apart(), 'the cut holds');
    const digest = shelf.put(someBytes(1000));

    world.heal();
    const took = await world.hurry(120_000, async () => {
      const found = await Promise.all(west.map((node) => holdersOf(node.ask(digest))));
      return found.every((holders) => holders.length === 1);
    });
    assert.ok(took <= 120_000, `${took} ms`);
  });

  it('comes back to a bootstrap that was away', async () => {
    await using world = createLibp2pWorld();
    const seed = await world.node();
    const node = await world.node({ bootstrap: [seed.address] });
    await world.hurry(60_000, () => meets(node, seed));
    world.cut([seed], [node]);
    await world.hurry(10_000, () => node.status().state === 'alone');
    await world.pass(180_000);
    world.heal();
    await world.hurry(120_000, () => meets(node, seed) && meets(seed, node));
  });
});
