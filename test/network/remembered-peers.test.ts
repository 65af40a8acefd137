import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../src/core/limits.ts';
import { createRememberedPeers } from '../../src/network/libp2p/remembered-peers.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const randomness = { bytes: (length: number) => new Uint8Array(length), float: () => 0.5 };

function remember(saved?: unknown) {
  const clock = createFakeClock();
  let changes = 0;
  const peers = createRememberedPeers({ clock, randomness }, saved, () => (changes += 1));
  const enter = (peerId: string, ip: string, why: 'verified' | 'lasting' = 'lasting', lan = false) =>
    peers.enter({ peerId, address: `/ip4/${ip}/tcp/8382`, why, lan });
  return { clock, peers, enter, changes: () => changes };
}

describe('remembered peers', () => {
  it('are two of a /24, and a flood of neighbours does not wash out those that answer', () => {
    const { peers, enter } = remember();
    for (let i = 0; i < 200; i++) enter(`p${i}`, `6.6.6.${i}`);
    assert.deepEqual(
      peers.list().map(({ peerId }) => peerId),
      ['p0', 'p1'],
    );
    assert.ok(enter('good', '6.6.6.250', 'verified'), 'a stronger claim takes the place of a weaker one');
    assert.equal(peers.list().length, 2);
  });

  it('are 128; half of the places are for those that gave verified bytes', () => {
    const { peers, enter } = remember();
    for (let i = 0; i < 300; i++) enter(`idle${i}`, `11.${i >> 8}.${i & 255}.1`);
    assert.equal(peers.list().length, limits.network.remembered / 2);
    for (let i = 0; i < 300; i++) enter(`good${i}`, `12.${i >> 8}.${i & 255}.1`, 'verified');
    assert.equal(peers.list().length, limits.network.remembered);
    assert.ok(peers.list().every(({ peerId }) => peerId.startsWith('good')));
  });

  it('of the LAN have places of their own', () => {
    const { peers, enter } = remember();
    for (let i = 0; i < 200; i++) enter(`lan${i}`, `192.168.1.${i}`, 'lasting', true);
    assert.equal(peers.list().length, limits.network.rememberedLan);
    assert.ok(enter('far', '11.1.1.1'));
  });

  it('go after 5 failures over 7 days, not before; one success wipes the slate', async () => {
    const { clock, peers, enter } = remember();
    enter('p', '11.1.1.1');
    for (let i = 0; i < 20; i++) peers.failed('p');
    assert.ok(peers.has('p'), 'an evening without network forgets nobody');
    peers.reached('p');
    peers.failed('p');
    await clock.advance(limits.network.forgetAfter);
    for (let i = 0; i < 3; i++) peers.failed('p');
    assert.ok(peers.has('p'));
    peers.failed('p');
    assert.ok(!peers.has('p'));
  });

  it('are not written anew for each blob that they give, but within a minute', async () => {
    const { clock, enter, peers, changes } = remember();
    enter('p', '11.1.1.1');
    for (let i = 0; i < 100; i++) enter('p', '11.1.1.1', 'verified');
    assert.equal(changes(), 2);
    await clock.advance(limits.network.rememberedFresh);
    enter('p', '11.1.1.1', 'verified');
    assert.equal(changes(), 3);
    assert.equal(peers.list()[0]?.seenAt, clock.now());
    peers.failed('p');
    enter('p', '11.1.1.1', 'verified');
    assert.equal(peers.list()[0]?.failures, 0);
    assert.ok(enter('p', '11.1.1.2', 'verified'));
    assert.equal(peers.list()[0]?.address, '/ip4/11.1.1.2/tcp/8382');
  });

  it('survive a restart, and what is damaged is left out', () => {
    const { peers, enter } = remember();
    enter('p', '11.1.1.1', 'verified');
    const saved = JSON.parse(JSON.stringify(peers.list())) as unknown[];
    assert.deepEqual(remember(saved).peers.list(), peers.list());
    assert.equal(
      remember([...saved, null, 7, { peerId: 'x', address: '/dnsaddr/x', seenAt: 1 }]).peers.list().length,
      1,
    );
    assert.deepEqual(remember('nonsense').peers.list(), []);
  });

  it('are known by their host, and picked by what is asked for', () => {
    const { peers, enter, changes } = remember();
    enter('p', '11.1.1.1');
    enter('q', '12.1.1.1');
    assert.equal(changes(), 2);
    assert.ok(peers.hasHost('11.1.1.1'));
    assert.ok(!peers.hasHost('11.1.1.2'));
    assert.equal(peers.pick(({ peerId }) => peerId === 'q')?.peerId, 'q');
    assert.equal(
      peers.pick(() => false),
      undefined,
    );
  });
});
