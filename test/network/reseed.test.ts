import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../src/core/limits.ts';
import { createReseed } from '../../src/network/libp2p/reseed.ts';
import type { ReseedTarget } from '../../src/network/libp2p/reseed.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const target = (name: string): ReseedTarget => ({ peerId: name, address: `/ip4/1.2.3.4/tcp/1024` });

/** A loop whose dials are written down with their time. `float` is the luck of every draw. */
function loop(setup: {
  peers: number;
  remembered?: ReseedTarget;
  bootstraps?: ReseedTarget[];
  reach?: boolean;
  float?: number;
}) {
  const clock = createFakeClock();
  const world = { all: setup.peers, bootstraps: 0, networks: 'home', connected: new Set<string>() };
  const dials: { at: number; peerId: string | undefined }[] = [];
  const log: string[] = [];
  const reseed = createReseed({
    clock,
    randomness: { bytes: (length) => new Uint8Array(length), float: () => setup.float ?? 0.5 },
    bootstraps: setup.bootstraps ?? [],
    remembered: () => setup.remembered,
    connected: () => world,
    isConnectedTo: ({ peerId }) => world.connected.has(peerId ?? ''),
    async dial({ peerId }) {
      dials.push({ at: Math.round(clock.monotonic()), peerId });
      return setup.reach ?? true;
    },
    lookUpRandomKey: async () => void log.push('look-up'),
    leaveBootstraps: async () => void log.push('leave'),
    networks: () => world.networks,
  });
  const gaps = (): number[] => dials.slice(1).map(({ at }, i) => at - (dials[i]?.at ?? 0));
  return { clock, world, dials, log, reseed, gaps };
}

describe('the re-seed loop', () => {
  it('never stops, however well connected: every 45 s +- 50 %', async () => {
    for (const [float, gap] of [
      [0, 22_500],
      [0.5, 45_000],
      [0.99, 67_050],
    ] as const) {
      const { clock, dials, reseed, gaps } = loop({ peers: 20, remembered: target('old'), float });
      reseed.start();
      await clock.advance(20 * 60_000);
      assert.ok(
        gaps()
          .slice(1)
          .every((ms) => Math.abs(ms - gap) <= 1),
        `${gaps().join()} with luck ${float}`,
      );
      const before = dials.length;
      await clock.advance(60 * 60_000);
      assert.ok(dials.length > before + 50);
      await reseed[Symbol.asyncDispose]();
    }
  });

  it('dials a bootstrap every fourth time, and looks up a random key after success', async () => {
    const { clock, dials, log, reseed } = loop({
      peers: 20,
      remembered: target('old'),
      bootstraps: [target('seed')],
    });
    reseed.start();
    await clock.advance(6 * 60_000);
    assert.deepEqual(
      dials.slice(0, 8).map(({ peerId }) => peerId),
      ['old', 'old', 'old', 'seed', 'old', 'old', 'old', 'seed'],
    );
    assert.equal(log.filter((entry) => entry === 'look-up').length, dials.length);
  });

  it('looks nothing up after a dial that failed', async () => {
    const { clock, log, reseed } = loop({ peers: 0, bootstraps: [target('seed')], reach: false });
    reseed.start();
    await clock.advance(60_000);
    assert.deepEqual(log, []);
  });

  it('tries at once, then every 5 s doubling to 45 while there are fewer than 4 peers', async () => {
    const { clock, dials, reseed, gaps } = loop({ peers: 0, bootstraps: [target('seed')], reach: false });
    reseed.start();
    await clock.advance(5 * 60_000);
    assert.equal(dials[0]?.at, 0);
    assert.deepEqual(gaps().slice(0, 6), [5000, 10_000, 20_000, 40_000, 45_000, 45_000]);
  });

  it('dials a remembered peer and a bootstrap at once while it is alone', async () => {
    const { clock, dials, reseed } = loop({
      peers: 0,
      remembered: target('gone'),
      bootstraps: [target('seed')],
      reach: false,
    });
    reseed.start();
    await clock.advance(0);
    assert.deepEqual(
      dials.map(({ peerId }) => peerId),
      ['gone', 'seed'],
    );
  });

  it('hurries when peers are lost', async () => {
    const { clock, world, dials, reseed } = loop({ peers: 20, remembered: target('old') });
    reseed.start();
    await clock.advance(10 * 60_000);
    const before = dials.length;
    world.all = 1;
    await clock.advance(10_000);
    assert.ok(dials.length > before, 'within 10 s');
  });

  it('dials within 10 s of a wake-up or a change of network', async () => {
    const { clock, world, dials, reseed } = loop({ peers: 20, remembered: target('old'), float: 0.9 });
    reseed.start();
    // The loop has just dialled: the next regular round is more than 60 s away.
    const justDialled = async (): Promise<number> => {
      const count = dials.length;
      while (dials.length === count) await clock.advance(1000);
      return dials.length;
    };
    let before = await justDialled();
    await clock.advance(10_000);
    assert.equal(dials.length, before, 'nothing happened, nothing is dialled');
    before = await justDialled();
    clock.jump(3_600_000);
    await clock.advance(10_000);
    assert.equal(dials.length, before + 1, 'the wall clock jumped');
    before = await justDialled();
    world.networks = 'café';
    await clock.advance(10_000);
    assert.equal(dials.length, before + 1, 'the network changed');
  });

  it('walks without a dial while peers are fewer than wanted, and less and less often when that brings nobody', async () => {
    const { clock, world, dials, log, reseed } = loop({ peers: 2, bootstraps: [target('seed')] });
    world.connected.add('seed');
    const walksIn = async (ms: number): Promise<number> => {
      const before = log.length;
      await clock.advance(ms);
      return log.length - before;
    };
    reseed.start();
    assert.ok((await walksIn(60_000)) >= 2, 'soon, with the bootstraps alone');
    await walksIn(20 * 60_000);
    const alone = await walksIn(30 * 60_000);
    assert.ok(alone >= 8 && alone <= 11, `${alone} in half an hour with two peers`);
    world.all = 10;
    assert.ok((await walksIn(2 * 60_000)) >= 2, 'anew when there are more peers');
    await walksIn(60 * 60_000);
    assert.ok((await walksIn(60 * 60_000)) <= 6, 'and seldom when they are all there are');
    world.all = limits.network.connectionsWanted;
    assert.equal(await walksIn(60 * 60_000), 0);
    assert.deepEqual(dials, []);
    await reseed[Symbol.asyncDispose]();
  });

  it('leaves the bootstraps to others once it has 8 other peers', async () => {
    const { clock, world, log, reseed } = loop({ peers: 8, remembered: target('old') });
    world.bootstraps = 1;
    reseed.start();
    await clock.advance(120_000);
    assert.ok(!log.includes('leave'), 'seven others');
    world.all = 9;
    await clock.advance(120_000);
    assert.ok(log.includes('leave'));
  });

  it('ends when it is closed', async () => {
    const { clock, dials, reseed } = loop({ peers: 0, bootstraps: [target('seed')] });
    reseed.start();
    await clock.advance(20_000);
    await reseed[Symbol.asyncDispose]();
    const before = dials.length;
    await clock.advance(10 * 60_000);
    assert.equal(dials.length, before);
    assert.equal(clock.pending, 0);
  });
});
