import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ConfigurationError } from '../../src/core/errors.ts';
import { limits } from '../../src/core/limits.ts';
import { createExpiringMap } from '../../src/network/libp2p/expiring-map.ts';
import { isLoopbackOnly, parseBootstraps, parseListen } from '../../src/network/libp2p/listen-addresses.ts';
import { createMdnsDialer } from '../../src/network/libp2p/mdns-dialer.ts';
import { createNoPeerNetwork } from '../../src/network/no-peer-network.ts';
import { holdersOf, peerFailure } from '../contracts/peer-network.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { digestOf } from '../support/memory-shelf.ts';

const dialling = () => {
  const clock = createFakeClock();
  const dials: { at: number; peerId: string; addresses: readonly string[] }[] = [];
  const connected = new Set<string>();
  const dialer = createMdnsDialer({
    clock,
    randomness: { bytes: (length) => new Uint8Array(length), float: () => 0.5 },
    isLanAddress: (address) => address.includes('/192.168.1.'),
    isConnected: (peerId) => connected.has(peerId),
    async dial({ peerId, addresses }) {
      dials.push({ at: clock.monotonic(), peerId, addresses });
      connected.add(peerId);
    },
  });
  const found = (peerId: string, address = '/ip4/192.168.1.9/tcp/8382') =>
    dialer.found({ peerId, addresses: [address] });
  return { clock, dials, connected, dialer, found };
};

describe('what mDNS finds', () => {
  it('is dialled once, within a second or so', async () => {
    const { clock, dials, found } = dialling();
    found('p');
    assert.deepEqual(dials, []);
    await clock.advance(1000);
    found('p');
    await clock.advance(10_000);
    assert.deepEqual(
      dials.map(({ peerId }) => peerId),
      ['p'],
    );
  });

  it('is dialled 8 times a minute at most, and 64 finds are remembered', async () => {
    const { clock, dials, dialer, found } = dialling();
    for (let i = 0; i < 1000; i++) found(`p${i}`);
    assert.equal(dialer.remembered, limits.network.mdnsKept);
    await clock.advance(60_000);
    assert.ok(
      dials.length <= 2 * limits.network.mdnsDialsPerMinute,
      `${dials.length} in the first minute with its burst`,
    );
    const before = dials.length;
    await clock.advance(60_000);
    assert.ok(
      dials.length - before <= limits.network.mdnsDialsPerMinute,
      `${dials.length - before} in the second`,
    );
  });

  it('is never dialled outside our LAN, whatever the answer says', async () => {
    const { clock, dials, dialer, found } = dialling();
    found('far', '/ip4/93.184.216.34/tcp/8382');
    dialer.found({ peerId: 'p', addresses: ['/ip4/10.0.0.1/tcp/22', '/ip4/192.168.1.9/tcp/8382'] });
    await clock.advance(10_000);
    assert.deepEqual(
      dials.map(({ peerId, addresses }) => ({ peerId, addresses })),
      [{ peerId: 'p', addresses: ['/ip4/192.168.1.9/tcp/8382'] }],
    );
    dialer[Symbol.dispose]();
    assert.equal(clock.pending, 0);
  });
});

describe('configured addresses', () => {
  it('are refused with their text when they are not IP or DNS with TCP', () => {
    for (const text of ['nonsense', '/ip4/1.2.3.4', '/ip4/1.2.3.4/udp/5', '/dnsaddr/example.org', '']) {
      assert.throws(
        () => parseBootstraps([text]),
        (error) =>
          error instanceof ConfigurationError &&
          error.fault === 'usage' &&
          error.message.includes(`"${text}"`),
      );
    }
    assert.throws(() => parseListen(['/dns4/example.org/tcp/1']), ConfigurationError);
    assert.equal(parseBootstraps(['/dns4/Seed.example.org/tcp/8382'])[0]?.address.host, 'seed.example.org');
  });

  it('are of one machine only when every listen address is loopback', () => {
    assert.ok(isLoopbackOnly(parseListen(['/ip4/127.0.0.1/tcp/0', '/ip6/::1/tcp/0'])));
    assert.ok(!isLoopbackOnly(parseListen(['/ip4/127.0.0.1/tcp/0', '/ip4/0.0.0.0/tcp/0'])));
    assert.ok(!isLoopbackOnly([]));
  });
});

describe('an expiring map', () => {
  it('holds what a Map would, minus what is too old or too much', () => {
    const clock = createFakeClock();
    const step = fc.record({ key: fc.integer({ min: 0, max: 9 }).map(String), value: fc.integer() });
    fc.assert(
      fc.property(fc.array(step), fc.integer({ min: 1, max: 5 }), (steps, max) => {
        const map = createExpiringMap<number>(clock, max);
        for (const { key, value } of steps) map.set(key, value, 1000);
        const newest = [...new Map(steps.toReversed().map(({ key }) => [key, key])).keys()].slice(0, max);
        const last = new Map(steps.map(({ key, value }) => [key, value]));
        for (const key of last.keys())
          assert.equal(map.get(key), newest.includes(key) ? last.get(key) : undefined);
        assert.ok(map.size <= max);
      }),
    );
  });

  it('forgets each entry at its own time', async () => {
    const clock = createFakeClock();
    const map = createExpiringMap<string>(clock, 10);
    map.set('a', 'x', 100);
    map.set('b', 'y', 200);
    await clock.advance(100);
    assert.equal(map.get('a'), undefined);
    assert.equal(map.get('b'), 'y');
    map.delete('b');
    assert.equal(map.size, 0);
  });
});

describe('no peer network', () => {
  it('finds nobody, says so, and never has a peer', async () => {
    const network = createNoPeerNetwork();
    const digest = digestOf(new Uint8Array(1));
    assert.deepEqual(await holdersOf(network.ask(digest)), []);
    assert.deepEqual(await holdersOf(network.find(digest)), []);
    await assert.rejects(network.range('p', { digest, offset: 0 }), peerFailure('unreachable'));
    const reason = new Error('enough');
    await assert.rejects(
      network.peerConnected({ signal: AbortSignal.abort(reason) }),
      (error) => error === reason,
    );
    assert.equal(network.status().state, 'off');
    assert.deepEqual(network.multiaddrs(), []);
    await network[Symbol.asyncDispose]();
  });
});
