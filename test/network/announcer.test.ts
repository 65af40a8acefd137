import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Digest } from '../../src/core/digest.ts';
import { limits } from '../../src/core/limits.ts';
import { createAnnouncer } from '../../src/network/libp2p/announcer.ts';
import { createDhtRole } from '../../src/network/libp2p/dht-role.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const digest = (i: number): Digest => i.toString(16).padStart(64, '0') as Digest;

function announcing(setup: { shared?: Digest[]; providedAt?: Map<Digest, number>; peers?: number } = {}) {
  const clock = createFakeClock();
  const world = { dialable: true, peers: setup.peers ?? 5, shared: setup.shared ?? [] };
  const told: { at: number; digest: Digest }[] = [];
  const deleted: Digest[] = [];
  const announcer = createAnnouncer({
    clock,
    shared: () => world.shared,
    canAnnounce: () => world.dialable,
    async provide(name) {
      told.push({ at: Math.round(clock.monotonic()), digest: name });
      return world.peers;
    },
    unprovide: async (name) => void deleted.push(name),
    providedAt: (name) => setup.providedAt?.get(name),
  });
  return { clock, world, told, deleted, announcer };
}

describe('the announcer', () => {
  it('tells a new blob after 10 s, and one each 2 s at most, the newest first', async () => {
    const { clock, told, announcer } = announcing();
    announcer.start();
    for (let i = 0; i < 5; i++) announcer.advertise(digest(i));
    await clock.advance(9999);
    assert.equal(told.length, 0);
    await clock.advance(11_000);
    assert.deepEqual(
      told.map(({ digest: name }) => name),
      [4, 3, 2, 1, 0].map(digest),
    );
    assert.ok(
      told.every(({ at }, i) => i === 0 || at - (told[i - 1]?.at ?? 0) >= limits.network.announceEvery),
    );
  });

  it('goes on when a look-up never ends', async () => {
    const clock = createFakeClock();
    const told: Digest[] = [];
    const announcer = createAnnouncer({
      clock,
      shared: () => [digest(1), digest(2)],
      canAnnounce: () => true,
      provide(name) {
        told.push(name);
        return told.length === 1 ? new Promise(() => undefined) : Promise.resolve(1);
      },
      unprovide: async () => undefined,
      providedAt: () => undefined,
    });
    announcer.start();
    await clock.advance(limits.network.announceTime + 120_000);
    assert.equal(new Set(told).size, 2);
    await announcer[Symbol.asyncDispose]();
  });

  it('tells again after 10 h, for ever', async () => {
    const { clock, told, announcer } = announcing({ shared: [digest(1)] });
    announcer.start();
    for (let i = 0; i < 21; i++) await clock.advance(3_600_000);
    assert.equal(told.length, 3);
    const [first, second] = told.map(({ at }) => at);
    assert.ok((second ?? 0) - (first ?? 0) >= limits.network.announceRefresh);
  });

  it('tells again, once, when the clock was ahead by a year and is set right', async () => {
    const { clock, told, announcer } = announcing({ shared: [digest(1)] });
    announcer.start();
    await clock.advance(3_600_000);
    assert.equal(told.length, 1);
    clock.jump(-365 * 24 * 3_600_000);
    await clock.advance(3_600_000);
    assert.equal(told.length, 2);
    await clock.advance(limits.network.announceRefresh);
    assert.equal(told.length, 3);
    await announcer[Symbol.asyncDispose]();
  });

  it('tells at most 2,000: the oldest gives way and our own record of it is deleted, where there is one', async () => {
    const { clock, told, deleted, announcer } = announcing({
      providedAt: new Map([0, 1].map((i) => [digest(i), 0] as const)),
    });
    announcer.start();
    for (let i = 0; i < 2003; i++) announcer.advertise(digest(i));
    assert.deepEqual(deleted, [0, 1].map(digest));
    await clock.advance(2_100 * limits.network.announceEvery);
    assert.equal(new Set(told.map(({ digest: name }) => name)).size, limits.network.announced);
  });

  it('forgets what was withdrawn and deletes our own record of it', async () => {
    const { clock, told, deleted, announcer } = announcing({ shared: [digest(1), digest(2)] });
    announcer.start();
    announcer.withdraw(digest(1));
    await clock.advance(60_000);
    assert.deepEqual(
      told.map(({ digest: name }) => name),
      [digest(2)],
    );
    assert.deepEqual(deleted, [digest(1)]);
    announcer.withdraw(digest(9));
    assert.deepEqual(deleted, [digest(1)], 'one never told costs nothing');
  });

  it('deletes our own record of what was withdrawn while it was being told', async () => {
    const clock = createFakeClock();
    const deleted: Digest[] = [];
    const telling = Promise.withResolvers<number>();
    const announcer = createAnnouncer({
      clock,
      shared: () => [digest(1)],
      canAnnounce: () => true,
      provide: () => telling.promise,
      unprovide: async (name) => void deleted.push(name),
      providedAt: () => undefined,
    });
    announcer.start();
    await clock.advance(15_000);
    announcer.withdraw(digest(1));
    telling.resolve(3);
    await clock.advance(0);
    assert.deepEqual(deleted, [digest(1), digest(1)]);
  });

  it('says nothing while it cannot be dialled, and catches up', async () => {
    const { clock, world, told, announcer } = announcing({ shared: [digest(1)] });
    world.dialable = false;
    announcer.start();
    await clock.advance(600_000);
    assert.equal(told.length, 0);
    world.dialable = true;
    await clock.advance(60_000);
    assert.equal(told.length, 1);
  });

  it('tries again when nobody took the record', async () => {
    const { clock, world, told, announcer } = announcing({ shared: [digest(1)], peers: 0 });
    announcer.start();
    await clock.advance(45_000);
    assert.equal(told.length, 2);
    world.peers = 1;
    await clock.advance(3_600_000);
    assert.equal(told.length, 3);
  });

  it('goes on after a restart where it was: what was told lately is not told again', async () => {
    const start = createFakeClock().now();
    const providedAt = new Map([[digest(1), start - 3_600_000]]);
    const { clock, told, announcer } = announcing({ shared: [digest(1), digest(2)], providedAt });
    announcer.start();
    await clock.advance(3_600_000);
    assert.deepEqual(
      told.map(({ digest: name }) => name),
      [digest(2)],
    );
    await clock.advance(8.1 * 3_600_000);
    assert.equal(told.length, 3 - 1);
  });

  it('fills the places of withdrawn blobs with older ones within the hour', async () => {
    const all = Array.from({ length: 2001 }, (_, i) => digest(i));
    const { clock, world, told, announcer } = announcing({ shared: all });
    announcer.start();
    await clock.advance(2_100 * limits.network.announceEvery);
    const names = (): Set<Digest> => new Set(told.map(({ digest: name }) => name));
    assert.ok(!names().has(digest(2000)));
    world.shared = all.slice(1);
    announcer.withdraw(digest(0));
    await clock.advance(3_700_000);
    assert.ok(names().has(digest(2000)));
  });

  it('ends when it is closed', async () => {
    const { clock, told, announcer } = announcing({ shared: [digest(1)] });
    announcer.start();
    await announcer[Symbol.asyncDispose]();
    await clock.advance(60_000);
    assert.equal(told.length, 0);
    assert.equal(clock.pending, 0);
  });
});

const role = (dht: 'auto' | 'server' | 'client' = 'auto', share: 'all' | 'lan' | 'none' = 'all') => {
  const clock = createFakeClock();
  return { clock, role: createDhtRole(clock, { dht, share }) };
};

describe('the role in the DHT', () => {
  const lan = ['/ip4/192.168.1.5/tcp/1', '/ip4/127.0.0.1/tcp/2'];
  const mixed = [...lan, '/ip4/93.184.216.34/tcp/8382/p2p/x'];

  it('is server among private peers only, and before any peer is known', () => {
    assert.ok(role().role.isServer([]));
    assert.ok(role().role.isServer(lan));
    assert.ok(!role().role.isServer(mixed));
  });

  it('is server for an hour after somebody from another public /24 dialled us', async () => {
    const { clock, role: auto } = role();
    auto.inboundFrom('/ip4/198.41.0.4/tcp/5000', ['/ip4/198.41.0.9/tcp/8382']);
    assert.ok(!auto.isServer(mixed), 'our own /24 proves nothing');
    auto.inboundFrom('/ip4/192.168.1.5/tcp/5000', []);
    assert.ok(!auto.isServer(mixed), 'nor does the LAN');
    auto.inboundFrom('/ip4/198.41.0.4/tcp/5000', ['/ip4/192.168.1.2/tcp/8382']);
    assert.ok(auto.isServer(mixed));
    assert.ok(auto.isDialable(mixed));
    await clock.advance(limits.network.dialableFor);
    assert.ok(!auto.isServer(mixed));
  });

  it('is what was configured; who shares nothing serves no records', () => {
    assert.ok(role('server').role.isServer(mixed));
    assert.ok(!role('client').role.isServer(lan));
    assert.ok(role('client').role.isDialable(lan));
    assert.ok(!role('server', 'none').role.isServer(lan));
  });
});
