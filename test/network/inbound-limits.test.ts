import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../src/core/limits.ts';
import { createConnectionLimits } from '../../src/network/libp2p/connection-limits.ts';
import { admitInbound, surplus } from '../../src/network/libp2p/connection-quota.ts';
import type { ConnectionView } from '../../src/network/libp2p/connection-quota.ts';
import { duplicates } from '../../src/network/libp2p/duplicate-connections.ts';
import { createHandshakeLimits } from '../../src/network/libp2p/handshake-limits.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const stranger = { lan: false, known: false };
const max = limits.network.connections;
let made = 0;
const inbound = (view: Partial<ConnectionView> = {}): ConnectionView => ({
  id: `c${++made}`,
  direction: 'inbound',
  publicSubnet: `1.2.${made}.0/24`,
  protected: false,
  idleFor: 0,
  ...view,
});
const many = (count: number, view: Partial<ConnectionView> = {}): ConnectionView[] =>
  Array.from({ length: count }, () => inbound(view));

describe('handshakes', () => {
  it('are 2 a second from a public host, 20 from a LAN host', async () => {
    const clock = createFakeClock();
    const handshakes = createHandshakeLimits(clock);
    const taken = (host: string, origin: { lan: boolean; known: boolean }): number =>
      Array.from({ length: 100 }, () => handshakes.admit(host, origin)).filter(Boolean).length;
    assert.equal(taken('93.184.216.34', stranger), 2);
    assert.equal(taken('192.168.1.9', { lan: true, known: true }), 20);
    await clock.advance(1000);
    assert.equal(taken('93.184.216.34', stranger), 2);
    assert.equal(taken('192.168.1.9', { lan: true, known: true }), 20);
  });

  it('are 30 a second in all with a burst of 60; a flood does not lock out LAN and remembered hosts', async () => {
    const clock = createFakeClock();
    const handshakes = createHandshakeLimits(clock);
    const flood = (): number =>
      Array.from({ length: 500 }, (_, i) => handshakes.admit(`93.184.${i >> 8}.${i & 255}`, stranger)).filter(
        Boolean,
      ).length;
    assert.equal(flood(), 60);
    assert.ok(handshakes.admit('192.168.1.9', { lan: true, known: true }));
    assert.ok(handshakes.admit('8.8.4.4', { lan: false, known: true }));
    await clock.advance(1000);
    assert.equal(flood(), 30);
  });

  it('from one host do not use up what is there for all', () => {
    const handshakes = createHandshakeLimits(createFakeClock());
    for (let i = 0; i < 10_000; i++) handshakes.admit('93.184.216.34', stranger);
    assert.ok(handshakes.admit('93.184.216.35', stranger));
  });

  it('count all addresses of one IPv6 host as one', () => {
    const handshakes = createHandshakeLimits(createFakeClock());
    const taken = Array.from({ length: 100 }, (_, i) => handshakes.admit(`2001:db8:1::${i + 1}`, stranger));
    assert.equal(taken.filter(Boolean).length, 2);
  });
});

describe('inbound connections', () => {
  it('are 8 of a public /24, however many peer ids it has', () => {
    const neighbours = many(8, { publicSubnet: '6.6.6.0/24' });
    assert.equal(admitInbound(neighbours.slice(1), { publicSubnet: '6.6.6.0/24' }, max).kind, 'admit');
    assert.equal(admitInbound(neighbours, { publicSubnet: '6.6.6.0/24' }, max).kind, 'refuse');
    assert.equal(admitInbound(neighbours, { publicSubnet: '7.7.7.0/24' }, max).kind, 'admit');
  });

  it('are at most 60 % of all, and leave 8 places for outbound ones', () => {
    assert.equal(admitInbound(many(23), { publicSubnet: '9.9.9.0/24' }, max).kind, 'admit');
    assert.equal(admitInbound(many(24), { publicSubnet: '9.9.9.0/24' }, max).kind, 'refuse');
    assert.equal(admitInbound(many(4), { publicSubnet: '9.9.9.0/24' }, 12).kind, 'refuse');
    assert.equal(admitInbound(many(1199), { publicSubnet: '9.9.9.0/24' }, 2000).kind, 'admit');
  });

  it('take the place of the longest idle one that nothing protects', () => {
    const idle = inbound({ idleFor: 40_000 });
    const longest = inbound({ idleFor: 90_000 });
    const friend = inbound({ idleFor: 900_000, protected: true });
    const full = [...many(21), idle, longest, friend];
    assert.deepEqual(admitInbound(full, { publicSubnet: undefined }, max), {
      kind: 'replace',
      id: longest.id,
    });
  });

  it('of a crowded /24 take the place of one of their own /24 only', () => {
    const elsewhere = inbound({ idleFor: 900_000 });
    const neighbours = many(8, { publicSubnet: '6.6.6.0/24' });
    assert.equal(
      admitInbound([...neighbours, elsewhere], { publicSubnet: '6.6.6.0/24' }, max).kind,
      'refuse',
    );
  });

  it('are closed when there are too many, never one that is busy', () => {
    assert.equal(surplus(many(max), max), undefined);
    assert.equal(surplus(many(max + 1), max), undefined);
    const idle = inbound({ idleFor: 60_000, direction: 'outbound' });
    assert.equal(surplus([...many(max), idle], max), idle.id);
  });
});

describe('two connections between two peers', () => {
  const connections = [
    { id: 1, direction: 'outbound', status: 'open' },
    { id: 2, direction: 'inbound', status: 'open' },
  ] as const;
  const seenByOther = connections.map((connection) => ({
    ...connection,
    direction: connection.direction === 'inbound' ? ('outbound' as const) : ('inbound' as const),
  }));

  it('become the one that the smaller id dialled, and both ends choose the same', () => {
    assert.deepEqual(duplicates('A', 'B', connections), [connections[1]]);
    assert.deepEqual(
      duplicates('B', 'A', seenByOther).map(({ id }) => id),
      [2],
    );
  });

  it('are left alone while the one that would stay is not open', () => {
    assert.deepEqual(duplicates('A', 'B', [connections[1]]), []);
    assert.deepEqual(duplicates('A', 'B', [{ ...connections[0], status: 'closing' }, connections[1]]), []);
  });
});

/** Connections of a node with the smallest id, all of them idle since they were opened, each from a /24 of its own. */
function limited(maximum: number) {
  const clock = createFakeClock();
  const ended: string[] = [];
  const connections: { id: string; openedAt: number; remotePeer: string; direction: string }[] = [];
  let opened = 0;
  let onOpen: (event: { detail: unknown }) => void = () => undefined;
  const connectionLimits = createConnectionLimits({
    clock,
    activity: {
      watch: () => undefined,
      idleFor: (connection) => clock.monotonic() - (connection as unknown as { openedAt: number }).openedAt,
    },
    handshakes: createHandshakeLimits(clock),
    max: maximum,
    isLanAddress: () => false,
    isKnownHost: () => false,
    isProtected: () => false,
  });
  connectionLimits.start({
    peerId: 'A',
    getConnections: (peer?: string) =>
      connections.filter(({ remotePeer }) => remotePeer === (peer ?? remotePeer)),
    addEventListener: (_name: string, listener: typeof onOpen) => (onOpen = listener),
  } as never);
  const open = (
    id: string,
    remotePeer: string,
    direction: 'inbound' | 'outbound',
    remoteAddr = `/ip4/93.184.${++opened}.34/tcp/50000`,
  ): void => {
    const end = (): void => {
      ended.push(id);
      connections.splice(connections.indexOf(connection), 1);
    };
    const connection = {
      id,
      remotePeer,
      direction,
      remoteAddr,
      status: 'open',
      openedAt: clock.monotonic(),
      abort: end,
      close: async () => end(),
    };
    connections.push(connection);
    onOpen({ detail: connection });
  };
  const openMany = (count: number, name: string, direction: 'inbound' | 'outbound'): void => {
    for (let i = 0; i < count; i++) open(`first of ${name}${i}`, `${name}${i}`, direction);
  };
  const count = (direction: string): number =>
    connections.filter((one) => one.direction === direction).length;
  return { clock, ended, open, openMany, count, connectionLimits };
}

describe('connections that were let in while none of them was counted yet', () => {
  it('are 8 of a public /24 once they are open', () => {
    const { open, ended, count, connectionLimits } = limited(max);
    const from = (i: number): string => `/ip4/6.6.6.${i}/tcp/50000`;
    // Their handshakes were all under way at once.
    for (let i = 0; i < 60; i++) assert.ok(connectionLimits.admitInbound(from(i)));
    for (let i = 0; i < 60; i++) open(`c${i}`, `p${i}`, 'inbound', from(i));
    assert.equal(count('inbound'), limits.network.inboundPerSubnet);
    assert.deepEqual(ended.slice(0, 2), ['c8', 'c9'], 'who comes later goes');
  });

  it('are 60 % of all, and cost no outbound one its place', async () => {
    const { clock, openMany, count } = limited(max);
    openMany(16, 'out', 'outbound');
    await clock.advance(60_000);
    openMany(100, 'in', 'inbound');
    assert.deepEqual([count('inbound'), count('outbound')], [24, 16]);
  });

  it('take the place of one that is idle, as at the door', async () => {
    const { clock, openMany, open, ended, count } = limited(max);
    openMany(24, 'in', 'inbound');
    await clock.advance(60_000);
    open('newcomer', 'N', 'inbound');
    assert.deepEqual([ended, count('inbound')], [['first of in0'], 24]);
  });
});

describe('a connection that dials back', () => {
  it('costs nobody the place', async () => {
    const { clock, ended, open, openMany } = limited(20);
    openMany(10, 'B', 'inbound');
    openMany(10, 'D', 'outbound');
    await clock.advance(60_000);
    open('back', 'B3', 'outbound');
    assert.deepEqual(ended, []);
    open('one more', 'C', 'outbound');
    assert.equal(ended.length, 1);
  });

  it('has six seconds before the one that stays is chosen, whenever the house is kept', async () => {
    for (let late = 0; late <= limits.network.housekeeping; late += 500) {
      const { clock, ended, open, openMany, connectionLimits } = limited(1);
      openMany(1, 'B', 'inbound');
      await clock.advance(30_000 + late);
      open('back', 'B0', 'outbound');
      await clock.advance(limits.network.dialBackTime);
      assert.deepEqual(ended, [], `opened ${late} ms after the house was kept`);
      await clock.advance(limits.network.duplicateAge);
      assert.deepEqual(ended, ['first of B0'], 'a second connection that stays is chosen by the ids');
      connectionLimits[Symbol.dispose]();
    }
  });
});
