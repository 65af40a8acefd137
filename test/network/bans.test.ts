import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MemoryDatastore } from 'datastore-core/memory';
import { Key } from 'interface-datastore/key';
import { createFactEmitter } from '../../src/core/facts.ts';
import { limits } from '../../src/core/limits.ts';
import { loadBans } from '../../src/network/libp2p/bans.ts';
import { createSavedState } from '../../src/network/libp2p/saved-state.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { digestOf } from '../support/memory-shelf.ts';

async function openBans(datastore = new MemoryDatastore(), clock = createFakeClock()) {
  const facts = createFactEmitter();
  const noted: string[] = [];
  facts.on('network:noted', ({ message }) => noted.push(message));
  const state = createSavedState(datastore, 'bans', facts);
  const hungUp: string[] = [];
  const bans = await loadBans({ clock, facts, state }, (peerId) => hungUp.push(peerId));
  return { bans, state, clock, datastore, facts, hungUp, noted };
}

describe('bans', () => {
  const digest = digestOf(new Uint8Array(3));

  it('last 24 hours, are told as a fact, and hang up', async () => {
    const { bans, clock, facts, hungUp } = await openBans();
    const told: unknown[] = [];
    facts.on('peer:banned', (fact) => told.push(fact));
    bans.ban('liar', 'wrong-bytes', digest);
    const until = clock.now() + limits.network.ban;
    assert.deepEqual(told, [{ peerId: 'liar', reason: 'wrong-bytes', digest, until }]);
    assert.deepEqual(hungUp, ['liar']);
    assert.ok(bans.isBanned('liar'));
    assert.ok(!bans.isBanned('other'));
    await clock.advance(limits.network.ban);
    assert.ok(!bans.isBanned('liar'));
    assert.deepEqual(bans.list(), []);
  });

  it('survive a restart', async () => {
    const first = await openBans();
    first.bans.ban('liar', 'wrong-bytes', digest);
    first.bans.ban('rude', 'protocol', undefined, 3_600_000);
    await first.state[Symbol.asyncDispose]();
    await first.clock.advance(3_600_000);
    const second = await openBans(first.datastore, first.clock);
    assert.ok(second.bans.isBanned('liar'));
    assert.ok(!second.bans.isBanned('rude'));
    assert.deepEqual(second.bans.list(), [first.bans.list()[0]]);
  });

  it('are 4,096 at most: the oldest goes', async () => {
    const { bans } = await openBans();
    for (let i = 0; i <= limits.network.bans; i++) bans.ban(`p${i}`, 'wrong-bytes', undefined);
    assert.equal(bans.list().length, limits.network.bans);
    assert.ok(!bans.isBanned('p0'));
    assert.ok(bans.isBanned('p1'));
  });

  it('are not shortened by a lesser offence', async () => {
    const { bans, clock } = await openBans();
    bans.ban('liar', 'wrong-bytes', digest);
    bans.ban('liar', 'protocol', undefined, 60_000);
    await clock.advance(3_600_000);
    assert.ok(bans.isBanned('liar'));
  });

  it('that cannot be read back are said to be damaged, and the node goes on', async () => {
    const datastore = new MemoryDatastore();
    await datastore.put(new Key('/fondue/bans'), new TextEncoder().encode('{"half'));
    const { bans, noted } = await openBans(datastore);
    assert.deepEqual(bans.list(), []);
    assert.match(noted.join(), /bans is damaged/);
    await datastore.put(
      new Key('/fondue/bans'),
      new TextEncoder().encode('[null,3,{"peerId":5},{"peerId":"x"}]'),
    );
    assert.deepEqual((await openBans(datastore)).bans.list(), []);
  });
});
