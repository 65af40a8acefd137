import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { limits } from '../../src/core/limits.ts';
import { encodeAnswer, type BlobAnswer } from '../../src/network/blob-protocol/answers.ts';
import { ProtocolViolation, writeHead } from '../../src/network/blob-protocol/frames.ts';
import { createGetSlots, type Asker, type Place } from '../../src/network/blob-protocol/get-slots.ts';
import { createOpenerExchange } from '../../src/network/blob-protocol/opener-exchange.ts';
import { createPeerRecords } from '../../src/network/blob-protocol/peer-records.ts';
import { createRequestInbox } from '../../src/network/blob-protocol/request-inbox.ts';
import { encodeRequest, type BlobRequest } from '../../src/network/blob-protocol/requests.ts';
import { createTokenBucket } from '../../src/network/blob-protocol/token-bucket.ts';
import { createViolationCounter } from '../../src/network/blob-protocol/violations.ts';
import { digestOf, someBytes } from '../support/memory-shelf.ts';

const digest = digestOf(someBytes(1));
const get = (offset: number, length?: number): BlobRequest => ({
  kind: 'get',
  digest,
  offset,
  length,
  deadlineMs: 0,
  priority: 0,
});
const ok = (blobSize: number, offset: number, length: number): Uint8Array =>
  encodeAnswer({ kind: 'ok', blobSize, offset, length });

function dataFrame(length: number): Uint8Array {
  const frame = new Uint8Array(4 + length);
  writeHead(frame, 0, 0x83, length);
  return frame;
}

/** What an opener makes of these bytes. */
function opener(request: BlobRequest | undefined, bytes: readonly Uint8Array[], knownSize?: number) {
  const answers: BlobAnswer[] = [];
  let received = 0;
  let ends = 0;
  const exchange = createOpenerExchange({
    answer: (answer) => void answers.push(answer),
    data: (part) => void (received += part.length),
    end: () => void ends++,
  });
  if (request) exchange.begin(request, knownSize);
  for (const part of bytes) exchange.push(part);
  return { answers, received, ends, idle: exchange.idle };
}

describe('an opener', () => {
  const { frameBytes } = limits.blob;

  it('takes exactly the bytes that were promised, in full frames', () => {
    const size = 2 * frameBytes + 7;
    const frames = [ok(size, 0, size), dataFrame(frameBytes), dataFrame(frameBytes), dataFrame(7)];
    const { received, ends, idle } = opener(get(0), frames);
    assert.deepEqual({ received, ends, idle }, { received: size, ends: 1, idle: true });
    assert.equal(opener(get(5), [ok(5, 5, 0)]).ends, 1, 'nothing is an answer, too');
  });

  const violations: [string, BlobRequest | undefined, readonly Uint8Array[], number?][] = [
    ['an answer that nobody asked for', undefined, [ok(5, 0, 5)]],
    ['DATA before OK', get(0), [dataFrame(5)]],
    ['DATA beyond the length', get(0), [ok(5, 0, 5), dataFrame(6)]],
    ['DATA after the last byte', get(0), [ok(5, 0, 5), dataFrame(5), dataFrame(1)]],
    ['a frame of one byte where a full one is due', get(0), [ok(frameBytes, 0, frameBytes), dataFrame(1)]],
    ['OK with another offset', get(3), [ok(10, 2, 8)]],
    ['OK with another length', get(0, 4), [ok(10, 0, 5)]],
    ['OK with a shorter length', get(0), [ok(10, 0, 9)]],
    ['OK with another size than the peer said before', get(0), [ok(11, 0, 11)], 10],
    ['OK twice', get(0), [ok(10, 0, 10), ok(10, 0, 10)]],
    ['NOT_FOUND after OK', get(0), [ok(10, 0, 10), encodeAnswer({ kind: 'not-found' })]],
    ['HAVE where OK was due', get(0), [encodeAnswer({ kind: 'have', load: 0, sizes: [1] })]],
    [
      'HAVE for more digests than were asked',
      { kind: 'have', digests: [digest] },
      [encodeAnswer({ kind: 'have', load: 0, sizes: [1, 2] })],
    ],
    [
      'LEAVES of a blob of another size',
      { kind: 'leaves', digest, from: 0, count: 2 },
      [encodeAnswer({ kind: 'leaves', total: 3, from: 0, hashes: [new Uint8Array(32)] })],
      2 << 20,
    ],
    [
      'LEAVES from another chunk',
      { kind: 'leaves', digest, from: 1, count: 2 },
      [encodeAnswer({ kind: 'leaves', total: 3, from: 0, hashes: [new Uint8Array(32)] })],
    ],
  ];
  for (const [name, request, bytes, knownSize] of violations)
    it(`does not take ${name}`, () => {
      assert.throws(() => opener(request, bytes, knownSize), ProtocolViolation);
    });

  it('takes an ERROR between DATA as the end, and the next answer after it', () => {
    const size = frameBytes + 1;
    const error = encodeAnswer({ kind: 'error', code: 4, text: 'gone' });
    const { answers, received, idle } = opener(get(0), [ok(size, 0, size), dataFrame(frameBytes), error]);
    assert.deepEqual([answers.at(-1)?.kind, received, idle], ['error', frameBytes, true]);
  });
});

describe('an acceptor', () => {
  const have = encodeRequest({ kind: 'have', digests: [digest] });

  it('takes requests one by one, however they came', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 6 }), fc.integer({ min: 1, max: 8 }), (cuts, count) => {
        const bytes = Buffer.concat(Array.from({ length: count }, () => have));
        const places = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length];
        const inbox = createRequestInbox();
        let taken = 0;
        for (let i = 1; i < places.length; i++) {
          inbox.push(bytes.subarray(places[i - 1], places[i]));
          while (inbox.take()) taken++;
        }
        assert.equal(taken, count);
        assert.equal(inbox.unread, 0);
        assert.equal(inbox.partial, false);
      }),
    );
  });

  it('knows a request that has begun and is not whole', () => {
    const inbox = createRequestInbox();
    inbox.push(have.subarray(0, 3));
    assert.equal(inbox.take(), undefined);
    assert.equal(inbox.partial, true);
    inbox.push(have.subarray(3));
    assert.ok(inbox.take());
    assert.equal(inbox.partial, false);
  });

  it('holds what waits in memory of its own, and little of it, however it came', { timeout: 20_000 }, () => {
    const message = Buffer.from(have);
    const inbox = createRequestInbox();
    inbox.push(message.subarray(0, 20));
    inbox.push(message.subarray(20));
    message.fill(0xff);
    assert.deepEqual(inbox.take(), { kind: 'have', digests: [digest] });
    message.set(have);
    inbox.push(message);
    message.fill(0xff);
    assert.deepEqual(inbox.take(), { kind: 'have', digests: [digest] });

    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const taken = (): number => {
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const before = taken();
    const inboxes = Array.from({ length: 20 }, createRequestInbox);
    for (const one of inboxes) for (let i = 0; i < 64 * 1024; i++) one.push(new Uint8Array(1));
    const cost = (taken() - before) / inboxes.length;
    // What it grew out of may not be freed yet; an object a byte would be 10 MB.
    assert.ok(cost < 500_000, `${cost} bytes for 65,536`);
    assert.ok(inboxes.every(({ unread }) => unread === 64 * 1024));
  });

  it('holds next to nothing while nothing waits: a peer may have 256 streams that say no more', async () => {
    const request = encodeRequest({ kind: 'have', digests: Array.from({ length: 60 }, () => digest) });
    const small = encodeRequest({ kind: 'have', digests: [digest] });
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    collect();
    const before = process.memoryUsage().arrayBuffers;
    const inboxes = Array.from({ length: 2000 }, createRequestInbox);
    for (const inbox of inboxes) {
      for (const bytes of [small, request]) {
        inbox.push(bytes);
        assert.equal(inbox.take()?.kind, 'have');
      }
    }
    // V8 frees them on another thread, when it comes to it.
    let cost = Infinity;
    for (let turns = 0; turns < 50 && cost >= 600; turns++) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
      cost = (process.memoryUsage().arrayBuffers - before) / inboxes.length;
    }
    assert.ok(cost < 600, `${cost} bytes`);
    assert.ok(inboxes.every(({ unread }) => unread === 0));
  });

  it('refuses more than 64 KiB of requests that wait', () => {
    const inbox = createRequestInbox();
    inbox.push(new Uint8Array(64 * 1024));
    assert.throws(() => inbox.push(new Uint8Array(1)), ProtocolViolation);
  });
});

describe('places for GETs', () => {
  const asker = (n: number, rest: Partial<Asker> = {}): Asker => ({
    peerId: `p${n}`,
    group: `g${n}`,
    privileged: false,
    proven: true,
    priority: 0,
    ...rest,
  });
  const enterMany = (count: number, make: (i: number) => Asker, slots = createGetSlots()) => {
    const places: (Place | undefined)[] = [];
    for (let i = 0; i < count; i++) places.push(slots.enter(make(i), () => undefined));
    return { slots, places, running: places.filter((place) => place?.running).length };
  };

  it('are 8 for a peer, 2 for a stranger, 16 for a public network, 48 for all, 64 with LAN and remembered peers', () => {
    assert.equal(enterMany(20, () => asker(1)).running, limits.blob.getsPerPeer);
    assert.equal(enterMany(20, () => asker(1, { proven: false })).running, limits.blob.getsPerStranger);
    assert.equal(enterMany(30, (i) => asker(i, { group: 'same' })).running, limits.blob.getsPerGroup);
    const { slots, running } = enterMany(60, (i) => asker(i));
    assert.equal(running, limits.blob.gets - limits.blob.getsKept);
    enterMany(60, (i) => asker(100 + i, { group: undefined, privileged: true }), slots);
    assert.equal(slots.active, limits.blob.gets);
    assert.equal(slots.load, 255);
  });

  it('are refused rather than queued for long', () => {
    const { places, slots } = enterMany(100, (i) => asker(i));
    assert.equal(slots.waiting, limits.blob.waiting);
    assert.equal(places.filter((place) => place === undefined).length, 100 - 48 - limits.blob.waiting);
    const one = enterMany(30, () => asker(1));
    assert.equal(one.slots.waiting, limits.blob.waitingPerPeer, 'one peer does not fill the queue');
  });

  it('go to users before others, and to who waits when a turn is over', () => {
    const slots = createGetSlots();
    const order: string[] = [];
    const first = slots.enter(asker(1, { proven: false }), () => undefined);
    slots.enter(asker(1, { proven: false }), () => undefined);
    slots.enter(asker(1, { proven: false, priority: 2 }), () => void order.push('repair'));
    slots.enter(asker(1, { proven: false, priority: 0 }), () => void order.push('user'));
    assert.equal(first?.wanted, true);
    first?.requeue(() => void order.push('again'));
    assert.deepEqual(order, ['user']);
    assert.equal(first?.running, false);
  });

  it('are never more than the limits, and always given back', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            peer: fc.nat(12),
            group: fc.nat(2),
            kind: fc.constantFrom('stranger', 'proven', 'lan'),
            priority: fc.constantFrom(0 as const, 1 as const, 2 as const),
            action: fc.constantFrom('enter', 'enter', 'enter', 'leave', 'requeue'),
            which: fc.nat(),
          }),
          { maxLength: 250 },
        ),
        (steps) => {
          const slots = createGetSlots();
          const places: { place: Place; asker: Asker }[] = [];
          for (const { peer, group, kind, priority, action, which } of steps) {
            const known = places.length > 0 ? places[which % places.length] : undefined;
            if (action === 'enter') {
              const lan = kind === 'lan';
              const who = asker(peer, {
                group: lan ? undefined : `g${group}`,
                privileged: lan,
                proven: kind !== 'stranger',
                priority,
              });
              const place = slots.enter(who, () => undefined);
              if (place) places.push({ place, asker: who });
            } else if (action === 'leave') known?.place.leave();
            else known?.place.requeue(() => undefined);
            const running = places.filter(({ place }) => place.running);
            const most = (key: (asker: Asker) => string | undefined): number => {
              const counts = new Map<string, number>();
              for (const { asker } of running) {
                const name = key(asker);
                if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
              }
              return Math.max(0, ...counts.values());
            };
            assert.equal(running.length, slots.active);
            assert.ok(slots.active <= 64 && slots.waiting <= limits.blob.waiting + running.length);
            assert.ok(most(({ peerId }) => peerId) <= 8);
            assert.ok(most(({ group }) => group) <= 16);
            assert.ok(running.filter(({ asker }) => !asker.privileged).length <= 48);
          }
          for (const { place } of places) place.leave();
          assert.deepEqual([slots.active, slots.waiting], [0, 0]);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('rates and records', () => {
  it('a bucket gives its burst and then its rate', () => {
    const bucket = createTokenBucket({ rate: 256, burst: 2048, now: 0 });
    assert.equal(bucket.take(2048, 0), true);
    assert.equal(bucket.take(1, 0), false);
    assert.equal(bucket.wait(256, 0), 1000);
    assert.equal(bucket.take(256, 1000), true);
    assert.equal(bucket.take(1, 1000), false);
    assert.equal(bucket.take(2049, 1e9), false, 'more than the burst is never there');
  });

  it('three violations within an hour convict, two do not', () => {
    const counter = createViolationCounter();
    const hour = 3_600_000;
    assert.deepEqual(
      [0, 1, hour, hour + 1, hour + 2].map((now) => counter.note('peer', now)),
      [false, false, false, false, true],
    );
    assert.equal(counter.note('peer', hour + 3), false, 'and the count starts anew');
    assert.equal(counter.note('other', hour + 3), false);
  });

  it('a peer is proven by verified bytes, slow after three losses for an hour, and smoothly fast', () => {
    const records = createPeerRecords();
    assert.deepEqual(records.of('p', 0), {
      proven: false,
      goodput: undefined,
      load: 0,
      slowUntil: undefined,
    });
    records.judge('p', { kind: 'verified', digest, bytes: 1, ms: 1 }, 0);
    assert.equal(records.of('p', 0).proven, true);
    for (let i = 0; i < 3; i++) records.judge('p', { kind: 'slow', digest }, 10);
    assert.equal(records.of('p', 10).slowUntil, 10 + 3_600_000);
    assert.equal(records.of('p', 10 + 3_600_000).slowUntil, undefined);
    records.measured('p', 1_000_000, 1000);
    records.measured('p', 100, 1);
    assert.equal(records.of('p', 0).goodput, 1_000_000);
  });

  it('records of churning peers stay bounded', () => {
    const records = createPeerRecords();
    records.loaded('first', 9);
    for (let i = 0; i < limits.blob.recordsKept; i++) records.loaded(`p${i}`, 1);
    assert.equal(records.of('first', 0).load, 0);
    assert.equal(records.of('p0', 0).load, 1);
  });
});
