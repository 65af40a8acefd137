import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sleep } from '../../src/core/clock.ts';
import { PeerError } from '../../src/core/errors.ts';
import type { Digest } from '../../src/core/digest.ts';
import { limits } from '../../src/core/limits.ts';
import { askPeers } from '../../src/network/libp2p/ask-peers.ts';
import type { AskDeps } from '../../src/network/libp2p/ask-peers.ts';
import { createProviderFinder } from '../../src/network/libp2p/find-providers.ts';
import type { Provider } from '../../src/network/libp2p/find-providers.ts';
import { createPeerQuestions } from '../../src/network/libp2p/peer-questions.ts';
import { holdersOf } from '../contracts/peer-network.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { digestOf } from '../support/memory-shelf.ts';

const digest = digestOf(new Uint8Array(1));
const other = digestOf(new Uint8Array(2));

interface Scripted {
  /** Time to answer; Infinity never. */
  latency?: number;
  size?: number;
  lan?: boolean;
  proven?: boolean;
  slow?: boolean;
  fails?: boolean;
}

function asking(script: Record<string, Scripted>) {
  const clock = createFakeClock();
  const asked: string[] = [];
  const questions = createPeerQuestions({
    clock,
    isLan: (peerId) => script[peerId]?.lan ?? false,
    record: (peerId) => ({ proven: script[peerId]?.proven ?? false, goodput: undefined }),
    async have(peerId, _digests, { signal }) {
      asked.push(peerId);
      const { latency = 1, size, fails } = script[peerId] ?? {};
      await sleep(clock, Math.min(latency, 1e9), signal);
      if (fails === true) throw new Error('reset');
      return { load: 7, sizes: [size] };
    },
  });
  const deps: AskDeps = {
    clock,
    questions,
    randomness: { bytes: (length) => new Uint8Array(length), float: () => 0.5 },
    reach: 'all',
    connected: () =>
      Object.keys(script).map((peerId) => ({ peerId, address: '', lan: script[peerId]?.lan ?? false })),
    isBanned: () => false,
    record: (peerId) => ({
      proven: script[peerId]?.proven ?? false,
      goodput: undefined,
      load: 0,
      slowUntil: script[peerId]?.slow === true ? 1e9 : undefined,
    }),
  };
  const ask = async (changes: Partial<AskDeps> = {}, name: Digest = digest): Promise<string[]> => {
    const found = holdersOf(askPeers({ ...deps, ...changes }, name));
    await clock.advance(limits.network.askTimeMax);
    return (await found).map(({ peerId }) => peerId);
  };
  return { clock, asked, questions, deps, ask };
}

const named = (count: number, make: (i: number) => Scripted): Record<string, Scripted> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, make(i)]));

describe('asking connected peers', () => {
  it('asks all of the LAN and at most 8 others, proven ones first and slow ones last', async () => {
    const { ask, asked } = asking({
      ...named(20, (i) => ({ size: 5, slow: i < 12, proven: i === 19 })),
      lan1: { size: 5, lan: true },
      lan2: { lan: true },
    });
    assert.equal((await ask()).length, 9);
    assert.deepEqual(asked.slice(0, 3), ['lan1', 'lan2', 'p19']);
    assert.ok(
      asked.slice(3).every((peerId) => Number(peerId.slice(1)) >= 12),
      asked.join(),
    );
  });

  it('yields them as they answer', async () => {
    const { ask } = asking({ late: { size: 1, latency: 40 }, soon: { size: 1, latency: 2 } });
    assert.deepEqual(await ask(), ['soon', 'late']);
  });

  it('does not wait beyond 150 ms, and skips who missed two deadlines for 10 minutes', async () => {
    const { ask, asked, clock } = asking({ deaf: { latency: Infinity }, good: { size: 1 } });
    assert.deepEqual(await ask(), ['good']);
    assert.deepEqual(await ask(), ['good']);
    assert.deepEqual(await ask(), ['good']);
    assert.equal(asked.filter((peerId) => peerId === 'deaf').length, 2);
    await clock.advance(limits.network.askSkipped);
    await ask();
    assert.equal(asked.filter((peerId) => peerId === 'deaf').length, 3);
  });

  it('asks who was skipped again once it connects anew: a cut network is no deaf peer', async () => {
    const script: Record<string, Scripted> = { cut: { latency: Infinity, size: 1 } };
    const { ask, questions } = asking(script);
    await ask();
    await ask();
    script['cut'] = { size: 1 };
    assert.deepEqual(await ask(), []);
    questions.connected('cut');
    assert.deepEqual(await ask(), ['cut']);
  });

  it('takes questions that waited together for one miss', async () => {
    const script: Record<string, Scripted> = { paused: { latency: Infinity, size: 1 } };
    const { ask, clock, deps } = asking(script);
    const together = Promise.all(
      Array.from({ length: 16 }, (_, i) => holdersOf(askPeers(deps, digestOf(new Uint8Array(i + 3))))),
    );
    await clock.advance(limits.network.askTimeMax);
    await together;
    script['paused'] = { size: 1 };
    assert.deepEqual(await ask(), ['paused']);
  });

  it('takes a proven peer that had all it was asked for at its word, once the size is known, until it says no', async () => {
    const script: Record<string, Scripted> = { good: { size: 1, proven: true }, stranger: { size: 1 } };
    const { clock, deps, asked } = asking(script);
    const name = (i: number): Digest => i.toString(16).padStart(64, '0') as Digest;
    let next = 0;
    const ask = async (sizeKnown: boolean): Promise<{ found: (number | undefined)[]; asked: string[] }> => {
      asked.length = 0;
      const found = holdersOf(askPeers(deps, name(next++), { sizeKnown }));
      await clock.advance(limits.network.askTimeMax);
      return { found: (await found).map(({ size }) => size), asked: [...asked].sort() };
    };
    for (let i = 0; i < limits.network.askLikely; i++)
      assert.deepEqual((await ask(true)).asked, ['good', 'stranger'], `after ${i} answers`);
    assert.deepEqual(await ask(true), { found: [undefined, 1], asked: ['stranger'] });
    assert.deepEqual((await ask(false)).asked, ['good', 'stranger'], 'whoever wants the size has it asked');
    deps.questions.saidNo('good', name(9999));
    assert.deepEqual((await ask(true)).asked, ['good', 'stranger']);
    for (let i = 0; i < limits.network.askLikely; i++) await ask(true);
    assert.deepEqual((await ask(true)).asked, ['stranger']);
    await clock.advance(limits.network.askLikelyFor);
    assert.deepEqual((await ask(true)).asked, ['good', 'stranger'], 'a minute later');
  });

  it('goes on to a proven peer that is too busy for questions, and to no other', async () => {
    const clock = createFakeClock();
    const questions = createPeerQuestions({
      clock,
      isLan: () => false,
      record: (peerId) => ({ proven: peerId === 'good', goodput: undefined }),
      have: (peerId) => Promise.reject(new PeerError({ peerId, failure: 'busy', retryAfter: 500 }, 'busy')),
    });
    const holder = await questions.ask('good', digest, {});
    assert.deepEqual([holder?.size, holder?.load], [undefined, 255]);
    assert.equal(await questions.ask('stranger', digest, {}), undefined);
  });

  it('counts no miss where our own clock came late', async () => {
    const script: Record<string, Scripted> = { good: { latency: Infinity, size: 1 } };
    const { ask, clock, deps } = asking(script);
    const held = { ...clock, monotonic: () => clock.monotonic() + delay };
    let delay = 0;
    const questions = createPeerQuestions({
      clock: held,
      isLan: () => false,
      record: () => ({ proven: false, goodput: undefined }),
      async have(_peerId, _digests, { signal }) {
        await sleep(clock, script['good']?.latency === undefined ? 1 : 1e9, signal);
        return { load: 0, sizes: [1] };
      },
    });
    for (let i = 0; i < 5; i++) {
      const asked = holdersOf(askPeers({ ...deps, questions }, digest));
      delay += limits.network.askOwnDelay;
      await clock.advance(limits.network.askTimeMax);
      assert.deepEqual(await asked, []);
    }
    script['good'] = { size: 1 };
    assert.deepEqual(await ask({ questions }), ['good']);
  });

  it('gives a peer three of its round trips, but 50 ms at least', async () => {
    const script: Record<string, Scripted> = { near: { size: 1, latency: 20 } };
    const { ask, clock, deps } = asking(script);
    for (let i = 0; i < 3; i++) await ask();
    script['near'] = { size: 1, latency: 59 };
    assert.deepEqual(await ask(), ['near']);
    script['near'] = { size: 1, latency: Infinity };
    const start = clock.monotonic();
    const ended = holdersOf(askPeers(deps, digest)).then(() => clock.monotonic() - start);
    await clock.advance(150);
    assert.ok((await ended) < 150, `${await ended} ms`);
  });

  it('asks who said no again after half a second when nobody else gives the blob, and gives the distant time', async () => {
    const { ask, asked, clock, deps } = asking({ late: {}, distant: { latency: 250, size: 1 } });
    const askInNeed = async (): Promise<string[]> => {
      const found = holdersOf(askPeers(deps, digest, { inNeed: true }));
      await clock.advance(limits.network.findAskTime);
      return (await found).map(({ peerId }) => peerId);
    };
    await ask();
    await ask();
    assert.deepEqual(asked, ['late', 'distant', 'distant']);
    assert.deepEqual(await askInNeed(), ['distant']);
    assert.deepEqual(asked.slice(3), ['distant'], 'a "no" of just now is believed');
    await clock.advance(limits.network.negativeInNeed);
    assert.deepEqual(await ask(), []);
    assert.equal(asked.length, 4, 'with other sources both are believed for long');
    await askInNeed();
    assert.deepEqual(asked.slice(4), ['late', 'distant']);
  });

  it('remembers who said no, for this blob only, for 10 minutes', async () => {
    const { ask, asked, clock } = asking({ p: {} });
    await ask();
    await ask();
    assert.equal(asked.length, 1);
    await ask({}, other);
    assert.equal(asked.length, 2);
    await clock.advance(limits.network.negativeKept);
    await ask();
    assert.equal(asked.length, 3);
  });

  it('takes a refusal neither for absence nor for silence', async () => {
    const { ask, asked } = asking({ busy: { fails: true } });
    for (let i = 0; i < 5; i++) assert.deepEqual(await ask(), []);
    assert.equal(asked.length, 5);
  });

  it('asks the LAN only, or nobody, when told so', async () => {
    const { ask, asked } = asking({ near: { size: 1, lan: true }, far: { size: 1 } });
    assert.deepEqual(await ask({ reach: 'lan' }), ['near']);
    assert.deepEqual(await ask({ reach: 'none' }), []);
    assert.deepEqual(asked, ['near']);
  });

  it('does not ask the banned', async () => {
    const { ask } = asking({ liar: { size: 1 }, good: { size: 1 } });
    assert.deepEqual(await ask({ isBanned: (peerId) => peerId === 'liar' }), ['good']);
  });

  it('ends with the reason of its signal, and stops asking when its reader leaves', async () => {
    const { deps, clock } = asking({ slow: { size: 1, latency: 100 }, quick: { size: 1 } });
    const reason = new Error('enough');
    await assert.rejects(
      holdersOf(askPeers(deps, digest, { signal: AbortSignal.abort(reason) })),
      (error) => error === reason,
    );
    const controller = new AbortController();
    const found = holdersOf(askPeers(deps, digest, { signal: controller.signal }));
    await clock.advance(10);
    controller.abort(reason);
    await assert.rejects(found, (error) => error === reason);
    const reading = (async () => {
      for await (const holder of askPeers(deps, digest)) if (holder.peerId === 'quick') break;
    })();
    await clock.advance(5);
    await reading;
    assert.equal(clock.pending, 0);
  });
});

function finding(providers: Provider[], script: Record<string, Scripted & { dial?: number | 'fails' }> = {}) {
  const { clock, questions, asked } = asking(
    Object.fromEntries(providers.map(({ peerId }) => [peerId, { size: 9, ...script[peerId] }])),
  );
  const dials: string[] = [];
  const dialled: (readonly string[])[] = [];
  const world = {
    dialling: 0,
    most: 0,
    connected: new Set<string>(),
    good: new Set<string>(),
    /** Addresses where nobody is. */
    wrong: new Set<string>(),
    lookUps: 0,
    judged: 0,
  };
  const finder = createProviderFinder({
    clock,
    questions,
    self: 'self',
    async *lookUp(_digest, signal) {
      world.lookUps += 1;
      for (const provider of providers) {
        signal.throwIfAborted();
        yield provider;
      }
    },
    isConnected: (peerId) => world.connected.has(peerId),
    isBanned: (peerId) => peerId === 'liar',
    isKnownGood: (peerId) => world.good.has(peerId),
    accepts: (address) => ((world.judged += 1), !address.includes('/10.')),
    async dial({ peerId, addresses }, signal) {
      dials.push(peerId);
      dialled.push(addresses);
      world.most = Math.max(world.most, (world.dialling += 1));
      try {
        const dial = script[peerId]?.dial ?? 20;
        await sleep(clock, dial === 'fails' ? 10 : Math.min(dial, 1e9), signal);
        if (dial === 'fails' || addresses.some((address) => world.wrong.has(address)))
          throw new Error('refused');
        world.connected.add(peerId);
      } finally {
        world.dialling -= 1;
      }
    },
  });
  const find = async (ms = 60_000): Promise<string[]> => {
    const found = holdersOf(finder.find(digest));
    await clock.advance(ms);
    return (await found).map(({ peerId }) => peerId);
  };
  return { clock, dials, dialled, asked, world, finder, find };
}

const at = (peerId: string, ip: string): Provider => ({ peerId, addresses: [`/ip4/${ip}/tcp/8382`] });

describe('finding providers', () => {
  it('dials and asks them, 4 at once, 12 a blob, of 20 collected', async () => {
    const { find, dials, world } = finding(Array.from({ length: 40 }, (_, i) => at(`p${i}`, `11.1.${i}.1`)));
    assert.equal((await find()).length, limits.network.findPeers);
    assert.equal(world.most, limits.network.findDials);
    assert.equal(dials.length, limits.network.findPeers);
  });

  it('gives up a dial after 1.5 s, so that dead records do not hold up the living', async () => {
    const dead = Array.from({ length: 4 }, (_, i) => at(`dead${i}`, `11.2.${i}.1`));
    const script = Object.fromEntries(dead.map(({ peerId }) => [peerId, { dial: Infinity }]));
    const { find } = finding([...dead, at('live', '11.1.1.1')], script);
    assert.deepEqual(await find(limits.network.findDialTime + 100), ['live']);
  });

  it('dials one of a /24 a round: a crowd at one place does not take all dials', async () => {
    const crowd = Array.from({ length: 10 }, (_, i) => at(`crowd${i}`, `6.6.6.${i}`));
    const script = Object.fromEntries(crowd.map(({ peerId }) => [peerId, { dial: Infinity }]));
    const { find, dials } = finding([...crowd, at('a', '11.1.1.1'), at('b', '11.1.2.1')], script);
    assert.deepEqual((await find(40_000)).toSorted(), ['a', 'b']);
    assert.deepEqual(dials.slice(0, 3), ['crowd0', 'a', 'b']);
  });

  it('begins with peers that are connected or known to be good', async () => {
    const { find, asked, world, dials } = finding(
      Array.from({ length: 12 }, (_, i) => at(`p${i}`, `11.1.${i}.1`)),
    );
    world.good.add('p11');
    world.connected.add('p10');
    await find();
    assert.ok(dials.indexOf('p11') <= limits.network.findDials, dials.join());
    assert.ok(!dials.includes('p10') && asked.includes('p10'));
  });

  it('never dials ourselves, the banned, or addresses that may not be dialled', async () => {
    const { find, dials } = finding([at('self', '11.1.1.1'), at('liar', '11.1.2.1'), at('trap', '10.0.0.1')]);
    assert.deepEqual(await find(), []);
    assert.deepEqual(dials, []);
  });

  it('lets dead providers rest for 10 minutes, doubling', async () => {
    const { find, dials, clock } = finding([at('dead', '11.1.1.1')], { dead: { dial: 'fails' } });
    await find();
    await clock.advance(5 * 60_000);
    await find();
    assert.equal(dials.length, 1);
    await clock.advance(5 * 60_000);
    await find();
    assert.equal(dials.length, 2);
    await clock.advance(11 * 60_000);
    await find();
    assert.equal(dials.length, 2, 'twenty minutes now');
    await clock.advance(9 * 60_000);
    await find();
    assert.equal(dials.length, 3);
  });

  it('is not led astray by who names a provider with wrong addresses, before or beside the right ones', async () => {
    const providers = [at('good', '11.9.9.9'), at('good', '11.9.9.8')];
    const { find, dials, world, clock } = finding(providers);
    for (const { addresses } of providers) world.wrong.add(addresses[0] as string);
    assert.deepEqual(await find(), []);
    assert.equal(dials.length, 2);
    await clock.advance(limits.network.nobodyKept);
    providers.push(at('good', '11.1.1.1'), at('good', '11.1.1.2'));
    assert.deepEqual(await find(), ['good']);
    assert.equal(dials.length, 3, 'what failed rests, and who was reached is not dialled again');
  });

  it('remembers of a dead provider the eight places that failed last', async () => {
    const places = Array.from({ length: limits.network.deadProviderPlaces + 1 }, (_, i) =>
      at('p', `11.1.${i}.1`),
    );
    const providers: Provider[] = [];
    const { find, finder, dials, world } = finding(providers);
    for (const place of [...places, ...places.slice(1), ...places.slice(0, 1)]) {
      world.wrong.add(place.addresses[0] as string);
      providers.splice(0, 1, place);
      finder.peerConnected('anybody');
      await find(100);
    }
    assert.equal(dials.length, places.length + 1);
  });

  it('asks a peer once, however often it is named', async () => {
    const { find, asked, world } = finding([at('p', '11.1.1.1'), at('p', '11.2.1.1'), at('p', '11.3.1.1')]);
    world.connected.add('p');
    assert.deepEqual(await find(), ['p']);
    assert.deepEqual(asked, ['p']);
  });

  it('dials 8 addresses of a provider at most', async () => {
    const addresses = Array.from({ length: 30 }, (_, i) => `/ip4/11.1.${i}.1/tcp/8382`);
    const { find, dialled } = finding([{ peerId: 'p', addresses }]);
    assert.deepEqual(await find(), ['p']);
    assert.deepEqual(dialled, [addresses.slice(0, 8)]);
  });

  it('reads 64 addresses of a provider, however many one answer names', async () => {
    const addresses = Array.from({ length: 5000 }, (_, i) => `/ip4/10.1.${i >> 8}.${i & 255}/tcp/8382`);
    const { find, dials, world } = finding([{ peerId: 'p', addresses }]);
    assert.deepEqual(await find(), []);
    assert.deepEqual(dials, []);
    assert.equal(world.judged, 64);
  });

  it('wakes a dead provider that connects to us', async () => {
    const { find, finder, dials, clock } = finding([at('dead', '11.1.1.1')], { dead: { dial: 'fails' } });
    await find();
    finder.peerConnected('dead');
    await find();
    assert.equal(dials.length, 2);
    await clock.advance(limits.network.deadProvider);
    await find();
    assert.equal(dials.length, 3, 'its rest begins at ten minutes again');
  });

  it('remembers for 60 s that nobody has it, or until a peer connects', async () => {
    const { find, finder, world, clock } = finding([]);
    await find(10);
    await find(10);
    assert.equal(world.lookUps, 1);
    finder.peerConnected('anybody');
    await find(10);
    assert.equal(world.lookUps, 2);
    await clock.advance(limits.network.nobodyKept);
    await find(10);
    assert.equal(world.lookUps, 3);
  });

  it('does not remember nobody when it was stopped early', async () => {
    const { finder, world, clock } = finding([at('slow', '11.1.1.1')], { slow: { dial: 1000 } });
    const controller = new AbortController();
    const found = holdersOf(finder.find(digest, { signal: controller.signal }));
    await clock.advance(100);
    controller.abort(new Error('enough'));
    await assert.rejects(found, /enough/);
    const again = holdersOf(finder.find(digest));
    await clock.advance(5000);
    assert.equal((await again).length, 1);
    assert.equal(world.lookUps, 2);
    assert.equal(clock.pending, 0);
  });

  it('counts what was found before the look-up broke', async () => {
    const providers = [at('p', '11.1.1.1')];
    const { questions, clock } = asking({ p: { size: 3 } });
    const finder = createProviderFinder({
      clock,
      questions,
      self: 'self',
      async *lookUp() {
        yield* providers;
        throw new Error('the DHT broke');
      },
      isConnected: () => true,
      isBanned: () => false,
      isKnownGood: () => false,
      accepts: () => true,
      dial: async () => undefined,
    });
    const found = holdersOf(finder.find(digest));
    await clock.advance(100);
    assert.deepEqual(
      (await found).map(({ size }) => size),
      [3],
    );
  });
});
