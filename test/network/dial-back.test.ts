/** Whom we dial because it dialled us: a stranger decides that we dial, and never where, how often or how long. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { limits } from '../../src/core/limits.ts';
import { createDialBack } from '../../src/network/libp2p/dial-back.ts';
import type { Caller } from '../../src/network/libp2p/dial-back.ts';
import { whyNotDial } from '../../src/network/libp2p/dial-rules.ts';
import { NotDialledError } from '../../src/network/libp2p/guarded-transport.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const { network } = limits;
const hour = network.dialBackAgain;

interface Dial {
  readonly at: number;
  readonly peerId: string;
  readonly address: string;
}

function called(setup: { reach?: (dial: Dial) => Promise<void>; seed?: number } = {}) {
  const clock = createFakeClock();
  const dials: Dial[] = [];
  const dialled = new Set<string>();
  let running = 0;
  let most = 0;
  let luck = setup.seed ?? 1;
  const dialBack = createDialBack({
    clock,
    randomness: {
      bytes: (length) => new Uint8Array(length),
      float: () => (luck = (luck * 16_807) % 2_147_483_647) / 2_147_483_647,
    },
    accepts: (address) =>
      whyNotDial(address, { networks: ['192.168.1.5/24'], loopbackOnly: false, configured: new Set() }) ===
      undefined,
    dialledLately: (peerId) => dialled.has(peerId),
    async dial({ peerId, address }, signal) {
      const dial = { at: clock.monotonic(), peerId, address };
      dials.push(dial);
      most = Math.max(most, ++running);
      try {
        await Promise.race([
          setup.reach?.(dial),
          new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
        ]);
      } finally {
        running--;
      }
    },
  });
  dialBack.start();
  let connections = 0;
  const call = (caller: Partial<Caller> & { peerId: string }): string => {
    const id = `c${++connections}`;
    const from = caller.from ?? '/ip4/93.184.216.34/tcp/50123';
    dialBack.called(id, {
      from,
      listens: [from.replace(/\d+$/, '8382')],
      server: false,
      ...caller,
    });
    return id;
  };
  return { clock, dials, dialled, dialBack, call, most: () => most };
}
const nowhere = async (): Promise<never> => Promise.reject(new Error('ECONNREFUSED'));
const hangs = (): Promise<never> => new Promise(() => undefined);

describe('who dialled us', () => {
  it('is dialled at the port that it names, soon, and only once within the hour', async () => {
    const { clock, dials, call } = called({ reach: nowhere });
    call({ peerId: 'p', listens: ['/ip4/192.168.7.7/tcp/8382', '/ip4/93.184.216.34/tcp/9000/p2p/p'] });
    await clock.advance(2 * network.dialBackEvery);
    assert.deepEqual(
      dials.map(({ peerId, address }) => ({ peerId, address })),
      [{ peerId: 'p', address: '/ip4/93.184.216.34/tcp/9000' }],
    );
    // It hangs up and calls again all the time.
    for (let minute = 0; minute < 58; minute++) {
      call({ peerId: 'p' });
      await clock.advance(60_000);
    }
    assert.equal(dials.length, 1, 'behind a NAT it is left alone');
    await clock.advance(3 * 60_000);
    assert.equal(dials.length, 2);
  });

  it('is dialled over IPv6, and as what an IPv4 address is when it came mapped into IPv6', async () => {
    const { clock, dials, call } = called();
    call({ peerId: 'six', from: '/ip6/2600:1406::17/tcp/5000', listens: ['/ip6/2600:1406:0::17/tcp/8382'] });
    call({
      peerId: 'mapped',
      from: '/ip6/::ffff:93.184.216.34/tcp/5000',
      listens: ['/ip4/93.184.216.34/tcp/1'],
    });
    call({
      peerId: 'four',
      from: '/ip6/::ffff:93.184.216.34/tcp/5000',
      listens: ['/ip4/93.184.216.34/tcp/8382'],
    });
    await clock.advance(20_000);
    assert.deepEqual(dials.map(({ address }) => address).toSorted(), [
      '/ip4/93.184.216.34/tcp/8382',
      '/ip6/2600:1406::17/tcp/8382',
    ]);
  });

  it('cannot send us to a third party, into our LAN, to a service of its own, or anywhere by name', async () => {
    const { clock, dials, call } = called();
    const elsewhere = [
      '/ip4/93.184.216.35/tcp/8382',
      '/ip4/192.168.1.1/tcp/8382',
      '/ip4/127.0.0.1/tcp/8382',
      '/ip4/93.184.216.34/tcp/22',
      '/dns4/victim.example.org/tcp/8382',
      '/ip4/93.184.216.34/udp/8382/quic-v1',
      '/ip4/93.184.216.34/tcp/8382/ws',
      '/ip4/93.184.216.34/tcp/8382/p2p/x/p2p-circuit',
      'nonsense',
    ];
    for (const [number, address] of elsewhere.entries()) call({ peerId: `p${number}`, listens: [address] });
    // Its ninth address and those after it are not looked at.
    call({ peerId: 'many', listens: [...elsewhere.slice(0, 8), '/ip4/93.184.216.34/tcp/8382'] });
    await clock.advance(hour);
    assert.deepEqual(dials, []);
  });

  it('from our LAN or this machine is not dialled back at all', async () => {
    const { clock, dials, call } = called();
    for (const host of ['192.168.1.9', '10.0.0.1', '100.64.0.1', '127.0.0.1', '169.254.1.1'])
      call({ peerId: host, from: `/ip4/${host}/tcp/5000`, listens: [`/ip4/${host}/tcp/8382`] });
    call({ peerId: 'name', from: '/dns4/a.example.org/tcp/5000', listens: ['/dns4/a.example.org/tcp/8382'] });
    await clock.advance(hour);
    assert.deepEqual(dials, []);
  });

  it('is left alone when it has gone, when we dialled it ourselves, and once this node is closed', async () => {
    const { clock, dials, dialled, dialBack, call } = called();
    dialBack.left(call({ peerId: 'gone' }));
    dialled.add('ours');
    call({ peerId: 'ours' });
    await clock.advance(60_000);
    await dialBack[Symbol.asyncDispose]();
    call({ peerId: 'late' });
    await clock.advance(60_000);
    assert.deepEqual(dials, []);
    assert.equal(clock.pending, 0);
  });

  it('that says other things of itself later is dialled by the latest', async () => {
    const { clock, dials, dialBack } = called();
    const caller = { peerId: 'p', from: '/ip4/93.184.216.34/tcp/5000', server: false };
    dialBack.called('c', { ...caller, listens: ['/ip4/93.184.216.34/tcp/8382'] });
    dialBack.called('c', { ...caller, listens: ['/ip4/93.184.216.34/tcp/9999'] });
    dialBack.called('d', { ...caller, peerId: 'q', listens: ['/ip4/93.184.216.34/tcp/8383'] });
    dialBack.called('d', { ...caller, peerId: 'q', listens: [] });
    await clock.advance(60_000);
    assert.deepEqual(
      dials.map(({ address }) => address),
      ['/ip4/93.184.216.34/tcp/9999'],
    );
  });
});

describe('dialling back', () => {
  it('renews whom we dialled ourselves too, where we reached it, and never on our LAN', async () => {
    const { clock, dials, dialled, dialBack } = called();
    dialled.add('ours');
    dialBack.reached('c', { peerId: 'ours', address: '/dns4/seed.example.org/tcp/8382', server: true });
    dialBack.reached('d', { peerId: 'near', address: '/ip4/192.168.1.9/tcp/8382', server: true });
    await clock.advance(network.dialBackRenew);
    assert.deepEqual(dials, [], 'not while our own dial is fresh');
    dialled.clear();
    await clock.advance(2 * network.dialBackEvery);
    assert.deepEqual(
      dials.map(({ peerId, address }) => ({ peerId, address })),
      [{ peerId: 'ours', address: '/dns4/seed.example.org/tcp/8382' }],
    );
  });

  it('is 6 a minute and 2 at once, however many peers call, and 4 an hour of one /24', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1e6 }),
        fc.array(fc.record({ calls: fc.integer({ max: 40 }), subnet: fc.nat(40), wait: fc.nat(90_000) }), {
          maxLength: 60,
        }),
        async (seed, flood) => {
          // Some answer, some refuse, some say nothing until we give up.
          const world = called({
            seed,
            reach: ({ at }) => [async () => undefined, nowhere, hangs][Math.floor(at) % 3]!(),
          });
          let made = 0;
          for (const { calls, subnet, wait } of flood) {
            for (let i = 0; i < calls; i++) {
              made++;
              world.call({ peerId: `p${made}`, from: `/ip4/93.184.${subnet}.${made % 250}/tcp/50000` });
            }
            await world.clock.advance(wait);
          }
          const within = (ms: number, dials: readonly Dial[]): number =>
            Math.max(
              0,
              ...dials.map(({ at }) => dials.filter((one) => one.at >= at && one.at < at + ms).length),
            );
          assert.ok(within(60_000, world.dials) <= 6);
          assert.ok(world.most() <= 2);
          for (let subnet = 0; subnet <= 40; subnet++) {
            const ofOne = world.dials.filter(({ address }) => address.includes(`/93.184.${subnet}.`));
            assert.ok(within(hour, ofOne) <= 4);
          }
          await world.dialBack[Symbol.asyncDispose]();
        },
      ),
      { numRuns: 30 },
    );
  });

  it('uses what it may: a minute of a flood is six dials', async () => {
    const { clock, dials, call } = called({ reach: nowhere });
    for (let i = 0; i < 200; i++) call({ peerId: `p${i}`, from: `/ip4/93.${i}.1.1/tcp/50000` });
    await clock.advance(60_000);
    assert.equal(dials.length, 6);
    await clock.advance(60_000);
    assert.ok(dials.length >= 11 && dials.length <= 12, String(dials.length));
  });

  it('ends after 5 s with a peer that says nothing', async () => {
    const { clock, dials, call } = called({ reach: hangs });
    for (let i = 0; i < 3; i++) call({ peerId: `p${i}`, from: `/ip4/93.${i}.1.1/tcp/50000` });
    await clock.advance(2 * network.dialBackEvery);
    assert.equal(dials.length, 2);
    await clock.advance(network.dialBackTime + 2 * network.dialBackEvery);
    assert.equal(dials.length, 3);
  });

  it('comes again to whom it reached before the hour of its role is over', async () => {
    const { clock, dials, call } = called();
    call({ peerId: 'p' });
    await clock.advance(10 * hour);
    const gaps = dials.slice(1).map(({ at }, i) => at - dials[i]!.at);
    assert.ok(gaps.length >= 10);
    assert.ok(gaps.every((gap) => gap < network.dialableFor && gap > network.dialableFor / 2));
  });

  it('leaves a server that others reached alone for a while, and dials it within the hour', async () => {
    const firsts: number[] = [];
    for (let seed = 1; seed <= 20; seed++) {
      const { clock, dials, call } = called({ seed: seed * 7919 });
      call({ peerId: 'server', server: true });
      await clock.advance(network.dialableFor);
      firsts.push(dials[0]!.at);
    }
    assert.ok(Math.max(...firsts) < network.dialableFor);
    assert.ok(Math.max(...firsts) - Math.min(...firsts) > network.dialableFor / 4, 'not all at one time');
  });

  it('dials a server that has become a client at once, and newcomers before servers', async () => {
    const { clock, dials, dialBack, call } = called();
    const id = call({ peerId: 'was a server', server: true });
    await clock.advance(1000);
    dialBack.called(id, {
      peerId: 'was a server',
      from: '/ip4/93.184.216.34/tcp/50123',
      listens: ['/ip4/93.184.216.34/tcp/8382'],
      server: false,
    });
    await clock.advance(2 * network.dialBackEvery);
    assert.equal(dials.length, 1);
    for (let i = 0; i < 1000; i++)
      call({ peerId: `server ${i}`, from: `/ip4/93.${i >> 8}.${i & 255}.1/tcp/50000`, server: true });
    // All of them are due by now, and far more than may be dialled.
    await clock.advance(network.dialBackRenew);
    const before = dials.length;
    call({ peerId: 'newcomer', from: '/ip4/94.1.1.1/tcp/50000' });
    await clock.advance(60_000 + 2 * network.dialBackEvery);
    assert.ok(dials.slice(before, before + 7).some(({ peerId }) => peerId === 'newcomer'));
  });

  it('comes soon again to a peer whose host was dialled a moment ago, and takes no try from others', async () => {
    let refused = 0;
    const { clock, dials, call } = called({
      async reach() {
        if (refused++ < 8) throw new NotDialledError('dialled less than 10000 ms ago');
      },
    });
    call({ peerId: 'p' });
    await clock.advance(3 * 60_000);
    assert.equal(dials.length, 9);
  });
});
