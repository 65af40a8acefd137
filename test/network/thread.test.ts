import assert from 'node:assert/strict';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../src/core/clock.ts';
import type { Digest } from '../../src/core/digest.ts';
import { ConfigurationError, UnavailableError } from '../../src/core/errors.ts';
import { createFactEmitter, type FactEmitter } from '../../src/core/facts.ts';
import {
  createMemoryWorld,
  type MemoryNode,
  type MemoryWorld,
  type PeerBehaviour,
} from '../../src/network/memory-peer-network.ts';
import type { PeerNetwork, Shelf } from '../../src/network/peer-network.ts';
import { borrowShelf } from '../../src/network/thread/borrowed-shelf.ts';
import type { FromNetwork } from '../../src/network/thread/messages.ts';
import { createThreadedPeerNetwork } from '../../src/network/thread/threaded-peer-network.ts';
import { systemClock } from '../../src/system-clock.ts';
import { bytesOf, holdersOf, peerFailure, testPeerNetwork } from '../contracts/peer-network.ts';
import { type ChannelThread, channelThread } from '../support/channel-thread.ts';
import { eventually } from '../support/eventually.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { createMemoryShelf, digestOf, someBytes } from '../support/memory-shelf.ts';

const MiB = 1 << 20;
const absent = digestOf(someBytes(10, 99));

interface Threaded extends AsyncDisposable {
  readonly network: PeerNetwork;
  readonly facts: FactEmitter;
  readonly threads: readonly ChannelThread[];
  readonly thread: () => ChannelThread;
  /** The node in the thread, and the shelf as it sees it. */
  readonly inside: () => MemoryNode;
  readonly factsInside: () => FactEmitter;
  readonly borrowed: () => Shelf;
  /** Everything posted before has been heard on the other side. */
  roundTrip(): Promise<void>;
}

async function threaded(
  world: MemoryWorld,
  options: {
    peerId?: string;
    shelf?: Shelf;
    clock?: Clock;
    refuse?: () => Error | Promise<never> | undefined;
  } = {},
): Promise<Threaded> {
  const { peerId = 'us', shelf = createMemoryShelf(), clock = systemClock, refuse } = options;
  const facts = createFactEmitter();
  const threads: ChannelThread[] = [];
  const nodes: MemoryNode[] = [];
  const shelves: Shelf[] = [];
  const emitters: FactEmitter[] = [];
  const start = (): ChannelThread => {
    const life = threads.length;
    const thread = channelThread(clock, async (deps) => {
      const error = await refuse?.();
      if (error !== undefined) throw error;
      const node = world.node({ ...deps, peerId: life === 0 ? peerId : `${peerId}-${life}`, lan: true });
      nodes.push(node);
      shelves.push(deps.shelf);
      emitters.push(deps.facts);
      return node;
    });
    threads.push(thread);
    return thread;
  };
  const network = await createThreadedPeerNetwork({ first: start(), start, clock, shelf, facts });
  return {
    network,
    facts,
    threads,
    thread: () => threads.at(-1)!,
    inside: () => nodes.at(-1)!,
    factsInside: () => emitters.at(-1)!,
    borrowed: () => shelves.at(-1)!,
    async roundTrip() {
      await holdersOf(network.ask(absent));
    },
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  };
}

testPeerNetwork('peer network in another thread', async () => {
  const world = createMemoryWorld({ clock: systemClock });
  const open = new AsyncDisposableStack();
  const listeners: FactEmitter[] = [];
  return {
    async node(shelf) {
      const { network, facts } = await threaded(world, { peerId: `peer-${listeners.length}`, shelf });
      listeners.push(facts);
      return open.use(network);
    },
    added(digest, size) {
      for (const facts of listeners)
        facts.emit('blob:added', { digest, size, source: 'upstream', shareable: true });
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
});

/** A peer with a blob, and us in a thread. */
async function pair(size: number, behaviour: PeerBehaviour = {}, clock: Clock = systemClock) {
  const world = createMemoryWorld({ clock });
  const shelf = createMemoryShelf();
  const bytes = someBytes(size);
  const digest = shelf.put(bytes);
  const peer = world.node({ peerId: 'peer', shelf, behaviour, lan: true });
  const us = await threaded(world, { clock });
  return { world, shelf, bytes, digest, peer, us };
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

describe('a range from another thread', () => {
  it('comes no faster than its reader takes it', async () => {
    const size = 16 * MiB;
    const { bytes, digest, us } = await pair(size);
    await using _ = us;
    await using answer = await us.network.range('peer', { digest, offset: 0 });
    const got: Uint8Array[] = [];
    let taken = 0;
    let most = 0;
    for await (const part of answer.body) {
      if (got.length < 5) await turns(300);
      most = Math.max(most, us.thread().receivedBytes - taken);
      got.push(part);
      taken += part.length;
    }
    assert.ok(most <= 5 * MiB, `${most} bytes waited for the reader`);
    assert.equal(digestOf(Buffer.concat(got)), digest);
    assert.equal(taken, bytes.length);
  });

  it('brings a slow peer’s few bytes within 20 ms', async () => {
    const clock = createFakeClock();
    const { bytes, digest, us } = await pair(1000, { drip: { bytes: 1, every: 60_000 } }, clock);
    const answer = await us.network.range('peer', { digest, offset: 0 });
    const body = answer.body[Symbol.asyncIterator]();
    const first = body.next();
    await turns(10);
    await clock.advance(20);
    assert.deepEqual((await first).value, bytes.slice(0, 1));
    await answer[Symbol.asyncDispose]();
    await us[Symbol.asyncDispose]();
  });

  it('is cancelled over there when its reader leaves', async () => {
    const { digest, us, shelf } = await pair(16 * MiB);
    await using _ = us;
    const answer = await us.network.range('peer', { digest, offset: 0 });
    for await (const part of answer.body) if (part.length > 0) break;
    await shelf.whenClosed();
    assert.ok(shelf.bytesRead < 8 * MiB, `${shelf.bytesRead} bytes were read for nobody`);
  });

  it('ends with the reason of its signal, and is cancelled over there', async () => {
    const { digest, us, shelf } = await pair(16 * MiB);
    await using _ = us;
    const controller = new AbortController();
    const answer = await us.network.range('peer', { digest, offset: 0, signal: controller.signal });
    const reason = new Error('enough');
    const read = async (): Promise<void> => {
      for await (const part of answer.body) if (part.length > 0) controller.abort(reason);
    };
    await assert.rejects(read, (error) => error === reason);
    await shelf.whenClosed();
  });

  it('never passes for whole when it is closed while it is read', async () => {
    const { digest, us } = await pair(1000, { stallAt: 100 });
    await using _ = us;
    const answer = await us.network.range('peer', { digest, offset: 0 });
    const read = bytesOf(answer.body);
    await us.roundTrip();
    await answer[Symbol.asyncDispose]();
    await assert.rejects(read, peerFailure('reset'));
  });

  it('fails as what it was: who, how, and when to come again', async () => {
    const { digest, us, peer } = await pair(100, { busy: 700 });
    await using _ = us;
    await assert.rejects(
      us.network.range('peer', { digest, offset: 0 }),
      (error: Record<string, unknown>) => {
        assert.deepEqual([error['peerId'], error['retryAfter']], ['peer', 700]);
        assert.match(String(error['message']), /busy|peer/);
        return peerFailure('busy')(error);
      },
    );
    peer.behave({ cutAt: 50 });
    const cut = await us.network.range('peer', { digest, offset: 0 });
    await assert.rejects(bytesOf(cut.body), peerFailure('reset'));
  });
});

describe('questions to another thread', () => {
  it('stop over there when they are left or aborted', async () => {
    const clock = createFakeClock();
    const { digest, us, world } = await pair(100, {}, clock);
    world.node({ peerId: 'deaf', shelf: createMemoryShelf(), behaviour: { deaf: true } });
    const idle = clock.pending;
    for await (const holder of us.network.ask(digest)) {
      assert.equal(holder.peerId, 'peer');
      assert.equal(clock.pending, idle + 1, 'the deaf one is waited for');
      break;
    }
    await turns(20);
    assert.equal(clock.pending, idle, 'and no more once nobody listens');

    const controller = new AbortController();
    const reason = new Error('enough');
    const asked = holdersOf(us.network.ask(absent, { signal: controller.signal }));
    await turns(20);
    assert.equal(clock.pending, idle + 1);
    controller.abort(reason);
    await assert.rejects(asked, (error) => error === reason);
    await turns(20);
    assert.equal(clock.pending, idle);
    await us[Symbol.asyncDispose]();
  });

  it('are answered by those who connect meanwhile', async () => {
    const { us, world } = await pair(100);
    await using _ = us;
    const connected = us.network.peerConnected();
    await us.roundTrip();
    world.node({ peerId: 'late', shelf: createMemoryShelf() });
    await connected;
  });
});

describe('facts and verdicts between the threads', () => {
  it('reach the other side', async () => {
    const { us, digest } = await pair(100);
    await using _ = us;
    const heard: string[] = [];
    us.facts.onAny((name) => heard.push(name));
    us.network.judge('peer', { kind: 'wrong-bytes', digest });
    us.network.advertise(digest);
    await us.roundTrip();
    assert.deepEqual(
      us.inside().verdicts.map(({ peerId, verdict }) => [peerId, verdict.kind]),
      [['peer', 'wrong-bytes']],
    );
    assert.ok(heard.includes('peer:banned'));
    await eventually('its announcement is counted', () => us.network.status().providerRecords === 1);
    us.network.withdraw(digest);
    await eventually('and taken back', () => us.network.status().providerRecords === 0);
  });
});

describe('the status of a network in another thread', () => {
  const peer = (n: number) => ({ peerId: `peer-${n}`, address: '/ip4/127.0.0.1/tcp/1', lan: true });

  it('counts the first peer as soon as that peer is heard of, without any time passing', async () => {
    const clock = createFakeClock();
    const world = createMemoryWorld({ clock });
    await using us = await threaded(world, { clock });
    const counted: number[] = [];
    us.facts.on('peer:connected', () => counted.push(us.network.status().connections));
    for (const round of [1, 2]) {
      assert.equal(us.network.status().connections, 0);
      world.node({ peerId: `peer-${round}`, shelf: createMemoryShelf() });
      us.factsInside().emit('peer:connected', peer(round));
      await turns(3);
      assert.equal(counted.length, round);
      world.disconnect('us', `peer-${round}`);
      us.factsInside().emit('peer:disconnected', { peerId: `peer-${round}` });
      await clock.advance(20);
    }
    assert.deepEqual(counted, [1, 1]);
  });

  it('is sent within 20 ms also where peers come and go every 10 ms', async () => {
    const clock = createFakeClock();
    const world = createMemoryWorld({ clock });
    await using us = await threaded(world, { clock });
    for (let n = 1; n <= 5; n++) {
      world.node({ peerId: `peer-${n}`, shelf: createMemoryShelf() });
      us.factsInside().emit('peer:connected', peer(n));
      await clock.advance(10);
    }
    await turns(3);
    assert.ok(us.network.status().connections >= 4, String(us.network.status().connections));
  });

  it('is as of now when it was refreshed, and does not wait long for a thread that is held up', async () => {
    const clock = createFakeClock();
    const { us, digest } = await pair(100, {}, clock);
    us.network.judge('peer', { kind: 'wrong-bytes', digest });
    assert.equal(us.network.status().banned.length, 0);
    await us.network.refreshStatus?.();
    assert.equal(us.network.status().banned.length, 1);

    us.thread().deafen();
    const refreshing = us.network.refreshStatus?.();
    await clock.advance(200);
    await refreshing;
    us.thread().crash(new Error('held up for good'));
    await us.network.refreshStatus?.();
    await us[Symbol.asyncDispose]();
  });
});

describe('the shelf lent to another thread', () => {
  const bytes = someBytes(300_000, 5);

  it('holds what was there, newest first, and follows what comes and goes', async () => {
    const shelf = createMemoryShelf();
    const [older, newer] = [shelf.put(someBytes(1, 1)), shelf.put(someBytes(2, 2))];
    // A memory shelf keeps the order of putting; the interface says newest first.
    const newestFirst: Shelf = { ...shelf, open: shelf.open, shared: () => [...shelf.shared()].toReversed() };
    const us = await threaded(createMemoryWorld({ clock: systemClock }), { shelf: newestFirst });
    await using _ = us;
    const borrowed = us.borrowed();
    assert.deepEqual([...borrowed.shared()], [newer, older]);
    assert.deepEqual([borrowed.size(older), borrowed.size(newer), borrowed.size(absent)], [1, 2, undefined]);

    const fresh = shelf.put(someBytes(3, 3));
    us.facts.emit('blob:added', { digest: fresh, size: 3, source: 'upstream', shareable: true });
    us.facts.emit('blob:added', { digest: absent, size: 9, source: 'upstream', shareable: false });
    await us.roundTrip();
    assert.deepEqual([...borrowed.shared()], [fresh, newer, older]);
    assert.equal(borrowed.size(absent), undefined, 'a private blob is none');

    us.facts.emit('blob:evicted', { digest: older, size: 1, reason: 'quota' });
    us.facts.emit('blob:corrupt', { digest: newer });
    us.facts.emit('blob:hidden', { digest: fresh });
    await us.roundTrip();
    assert.deepEqual([...borrowed.shared()], []);
    assert.equal(await borrowed.open(fresh), undefined);
  });

  it('is read by messages where a blob has no descriptor, and given back', async () => {
    const shelf = createMemoryShelf();
    const digest = shelf.put(bytes);
    const us = await threaded(createMemoryWorld({ clock: systemClock }), { shelf });
    await using _ = us;
    const reader = await us.borrowed().open(digest);
    assert.ok(reader !== undefined);
    assert.equal(reader.size, bytes.length);
    const target = new Uint8Array(100);
    assert.equal(await reader.read(target, bytes.length - 40), 40);
    assert.deepEqual(target.slice(0, 40), bytes.slice(-40));
    await reader[Symbol.asyncDispose]();
    await reader[Symbol.asyncDispose]();
    await shelf.whenClosed();
    await assert.rejects(reader.read(target, 0), UnavailableError);
  });

  it('is read through the descriptor where it has one, without a word to this side', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fondue-thread-'));
    await writeFile(join(folder, 'blob'), bytes);
    const file = await open(join(folder, 'blob'));
    const digest = digestOf(bytes);
    let returned = 0;
    const shelf: Shelf = {
      size: (asked) => (asked === digest ? bytes.length : undefined),
      open: async () => ({
        size: bytes.length,
        descriptor: file.fd,
        read: async () => assert.fail('the other side reads by itself'),
        async [Symbol.asyncDispose]() {
          returned++;
        },
      }),
      reportCorrupt: () => undefined,
      shared: () => [digest],
    };
    const world = createMemoryWorld({ clock: systemClock });
    const us = await threaded(world, { shelf });
    const asker = world.node({ peerId: 'asker', shelf: createMemoryShelf() });
    const answer = await asker.range('us', { digest, offset: 7 });
    assert.deepEqual(await bytesOf(answer.body), bytes.slice(7));
    await eventually('it is given back', () => returned === 1);
    await us[Symbol.asyncDispose]();
    assert.equal(returned, 1);
    await file.close();
    await rm(folder, { recursive: true });
  });

  it('gets a descriptor back only when no read of it is under way', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fondue-thread-'));
    await writeFile(join(folder, 'blob'), bytes);
    const file = await open(join(folder, 'blob'));
    const digest = digestOf(bytes);
    const order: string[] = [];
    const post = (message: FromNetwork): void => void order.push(message.kind);
    const shelf = borrowShelf({ post, onMessage: () => undefined }, systemClock);
    shelf.take({ kind: 'shelf', added: [[digest, bytes.length]], removed: [] });
    const opening = shelf.open(digest);
    shelf.take({ kind: 'shelf-opened', id: 1, size: bytes.length, descriptor: file.fd });
    const reader = await opening;
    const reading = reader?.read(new Uint8Array(1000), 0).then((count) => order.push(`read ${count}`));
    await reader?.[Symbol.asyncDispose]();
    assert.deepEqual(order, ['shelf-open']);
    await reading;
    assert.deepEqual(order.toSorted(), ['read 1000', 'shelf-close', 'shelf-open']);
    await file.close();
    await rm(folder, { recursive: true });
  });

  it('gives no byte more of a blob that is not shared any more, also through its descriptor', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fondue-thread-'));
    await writeFile(join(folder, 'blob'), bytes);
    const file = await open(join(folder, 'blob'));
    const digest = digestOf(bytes);
    const shelf = borrowShelf({ post: () => undefined, onMessage: () => undefined }, systemClock);
    shelf.take({ kind: 'shelf', added: [[digest, bytes.length]], removed: [] });
    const opening = shelf.open(digest);
    shelf.take({ kind: 'shelf-opened', id: 1, size: bytes.length, descriptor: file.fd });
    const reader = await opening;
    assert.equal(await reader?.read(new Uint8Array(10), 0), 10);
    const under = reader?.read(new Uint8Array(10), 10);
    shelf.take({ kind: 'shelf', added: [], removed: [digest] });
    await assert.rejects(async () => under, UnavailableError);
    await assert.rejects(async () => reader?.read(new Uint8Array(10), 20), UnavailableError);
    await reader?.[Symbol.asyncDispose]();
    await file.close();
    await rm(folder, { recursive: true });
  });

  it('reads small blobs itself where their files lie, unless the disk is slow', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fondue-thread-'));
    const digest = digestOf(bytes);
    await mkdir(join(folder, digest.slice(0, 2)));
    await writeFile(join(folder, digest.slice(0, 2), digest), bytes);
    const post = (message: FromNetwork): void => assert.fail(message.kind);
    let took = 0;
    let now = 0;
    const shelf = borrowShelf({ post, onMessage: () => undefined }, { monotonic: () => (now += took) });
    const read = (): number | undefined => shelf.readWhole?.(digest, new Uint8Array(bytes.length));
    shelf.take({ kind: 'shelf-folder', folder });
    assert.equal(read(), undefined, 'its name alone opens nothing');
    shelf.take({
      kind: 'shelf',
      added: [
        [digest, bytes.length],
        [absent, 5],
      ],
      removed: [],
    });
    assert.equal(read(), bytes.length);
    assert.equal(shelf.readWhole?.(absent, new Uint8Array(5)), undefined);
    for (const slow of [true, false, true]) {
      took = slow ? 60 : 0;
      assert.equal(read(), bytes.length, 'one slow read may be a busy machine');
    }
    assert.equal(read(), bytes.length);
    took = 0;
    assert.equal(read(), undefined, 'after two in a row the next ones do not keep this thread waiting');
    now += 10_001;
    assert.equal(read(), bytes.length);
    shelf.take({ kind: 'shelf', added: [], removed: [digest] });
    assert.equal(read(), undefined, 'nor is a blob read that is not shared any more');
    await rm(folder, { recursive: true });
  });

  it('says why a read failed, and hears of corrupt blobs', async () => {
    const shelf = createMemoryShelf();
    const digest = shelf.put(bytes);
    const failing: Shelf = {
      ...shelf,
      open: async () => ({
        size: bytes.length,
        read: async () => Promise.reject(new Error('the disk is on fire')),
        async [Symbol.asyncDispose]() {},
      }),
    };
    const us = await threaded(createMemoryWorld({ clock: systemClock }), { shelf: failing });
    await using _ = us;
    const reader = await us.borrowed().open(digest);
    await assert.rejects(async () => reader?.read(new Uint8Array(10), 0), /the disk is on fire/);
    us.borrowed().reportCorrupt(digest);
    await us.roundTrip();
    assert.deepEqual(shelf.corrupt, [digest]);
    assert.equal(us.borrowed().size(digest), undefined);
  });
});

describe('a thread that cannot begin', () => {
  it('says what a person must mend, and is gone', async () => {
    const clock = createFakeClock();
    const error = new ConfigurationError('environment', 'the port is taken', 'choose another');
    const thread = channelThread(clock, () => Promise.reject(error));
    const facts = createFactEmitter();
    const shelf = createMemoryShelf();
    const begun = createThreadedPeerNetwork({ first: thread, start: () => thread, clock, shelf, facts });
    await assert.rejects(begun, (told: ConfigurationError) => {
      assert.deepEqual([told.message, told.fault, told.fix], [error.message, error.fault, error.fix]);
      return told instanceof ConfigurationError;
    });
    assert.ok(thread.terminated);
    assert.equal(clock.pending, 0);
  });

  it('says why it ended when it ends before it is ready', async () => {
    const clock = createFakeClock();
    const thread = channelThread(clock, () => new Promise(() => undefined));
    const deps = { start: () => thread, clock, shelf: createMemoryShelf(), facts: createFactEmitter() };
    const begun = createThreadedPeerNetwork({ first: thread, ...deps });
    thread.crash(new Error('out of memory'));
    await assert.rejects(begun, /out of memory/);
  });
});

describe('a thread that ends by itself', () => {
  const boom = new Error('boom');
  const died = async (us: Threaded): Promise<void> => {
    us.thread().crash(boom);
    await turns(3);
  };

  it('takes all peers with it and nothing else: ranges break off, questions end, the network is off', async () => {
    const clock = createFakeClock();
    const { us, digest, peer } = await pair(16 * MiB, { stallAt: MiB }, clock);
    const failures: string[] = [];
    us.facts.on('program:failed', ({ message }) => failures.push(message));
    const answer = await us.network.range('peer', { digest, offset: 0 });
    const broken = assert.rejects(bytesOf(answer.body), peerFailure('reset'));
    peer.behave({ stallAt: MiB, deaf: true });
    const asked = holdersOf(us.network.ask(digest));
    await turns(3);
    await died(us);
    await broken;
    assert.deepEqual(await asked, []);
    assert.equal(us.network.status().state, 'off');
    assert.deepEqual(us.network.multiaddrs(), []);
    assert.deepEqual(await holdersOf(us.network.ask(digest)), []);
    assert.deepEqual(await holdersOf(us.network.find(digest)), []);
    await assert.rejects(us.network.range('peer', { digest, offset: 0 }), peerFailure('unreachable'));
    us.network.advertise(digest);
    us.network.withdraw(digest);
    assert.equal(failures.length, 1);
    assert.match(failures[0] ?? '', /off and begins anew in 1 s[^]*boom/);
    await us[Symbol.asyncDispose]();
  });

  it('gives back what it had opened', async () => {
    const shelf = createMemoryShelf();
    const digest = shelf.put(someBytes(10));
    const clock = createFakeClock();
    const us = await threaded(createMemoryWorld({ clock }), { shelf, clock });
    await us.borrowed().open(digest);
    assert.equal(shelf.open_, 1);
    await died(us);
    await shelf.whenClosed();
    await us[Symbol.asyncDispose]();
  });

  it('is followed by another, which hears the verdicts given meanwhile and knows the shelf', async () => {
    const clock = createFakeClock();
    const { us, digest, world } = await pair(100, {}, clock);
    const connected = us.network.peerConnected();
    await us.roundTrip();
    await died(us);
    world.disconnect('us', 'peer');
    us.network.judge('peer', { kind: 'slow', digest });
    await clock.advance(999);
    assert.equal(us.threads.length, 1);
    await clock.advance(1);
    await eventually('it begins', () => us.network.status().state !== 'off');
    assert.equal(us.threads.length, 2);
    await us.roundTrip();
    assert.deepEqual(
      us.inside().verdicts.map(({ verdict }) => verdict.kind),
      ['slow'],
    );
    world.node({ peerId: 'late', shelf: createMemoryShelf() });
    await connected;
    assert.equal((await holdersOf(us.network.ask(digest))).length, 1);
    assert.equal(us.network.peerId, 'us');
    await us[Symbol.asyncDispose]();
  });

  it('is followed by one that has of the shelf what may be shared then, the newest first', async () => {
    const clock = createFakeClock();
    const blobs = new Map([1, 2, 3].map((size) => [digestOf(someBytes(size)), size]));
    const [secret, older, newer] = [...blobs.keys()];
    const hidden = new Set<unknown>();
    const size: Shelf['size'] = (digest) => (hidden.has(digest) ? undefined : blobs.get(digest));
    const shared = (): Digest[] => [...blobs.keys()].filter((digest) => !hidden.has(digest)).toReversed();
    const us = await threaded(createMemoryWorld({ clock }), {
      shelf: { ...createMemoryShelf(), size, shared },
      clock,
    });
    assert.deepEqual([...us.borrowed().shared()], [newer, older, secret]);
    await died(us);
    hidden.add(secret);
    us.facts.emit('blob:hidden', { digest: secret! });
    await clock.advance(1000);
    await eventually('it begins', () => us.network.status().state !== 'off');
    assert.equal(us.threads.length, 2);
    assert.deepEqual([...us.borrowed().shared()], [newer, older]);
    await us[Symbol.asyncDispose]();
  });

  it('is told where the one before it listened, but once only: the port may be taken', async () => {
    const clock = createFakeClock();
    const told: (readonly string[])[] = [];
    const create = (life: number): ChannelThread =>
      channelThread(clock, async (deps) => {
        if (life === 1) throw new Error('taken');
        return createMemoryWorld({ clock }).node({ ...deps, peerId: 'us', lan: true });
      });
    const first = create(0);
    const facts = createFactEmitter();
    const network = await createThreadedPeerNetwork({
      first,
      start: (before) => create(told.push(before)),
      clock,
      shelf: createMemoryShelf(),
      facts,
    });
    const addresses = network.multiaddrs();
    assert.ok(addresses.length > 0);
    first.crash(boom);
    await turns(3);
    await clock.advance(1000);
    await turns(20);
    await clock.advance(2000);
    await eventually('it begins', () => network.status().state !== 'off');
    assert.deepEqual(told, [addresses, []]);
    await network[Symbol.asyncDispose]();
  });

  it('is tried again after 1 s, doubling to 5 minutes, and after 1 s again once it has lived so long', async () => {
    const clock = createFakeClock();
    let refused = 0;
    const refuse = (): Error | undefined => (us !== undefined && refused++ < 10 ? boom : undefined);
    let us: Threaded | undefined;
    us = await threaded(createMemoryWorld({ clock }), { clock, refuse });
    await died(us);
    const pauses: number[] = [];
    while (refused < 10) {
      const [before, since] = [us.threads.length, clock.monotonic()];
      while (us.threads.length === before) await clock.advance(500);
      pauses.push((clock.monotonic() - since) / 1000);
      await turns(20);
    }
    assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
    await clock.advance(300_000);
    await eventually('it begins', () => us.network.status().state !== 'off');
    const lives = us.threads.length;
    await clock.advance(300_000);
    await died(us);
    await clock.advance(1000);
    assert.equal(us.threads.length, lives + 1);
    await us[Symbol.asyncDispose]();
  });

  it('is not followed by another once the network is closed', async () => {
    const clock = createFakeClock();
    const { us } = await pair(10, {}, clock);
    const waiting = assert.rejects(us.network.peerConnected(), /closed/);
    await us.roundTrip();
    await died(us);
    await us[Symbol.asyncDispose]();
    await waiting;
    await clock.advance(600_000);
    assert.equal(us.threads.length, 1);
    assert.equal(us.network.status().state, 'off');
  });

  it('does not hold up closing when it dies of it, or while it begins', async () => {
    const clock = createFakeClock();
    const { us } = await pair(10, {}, clock);
    const closing = us[Symbol.asyncDispose]();
    us.thread().crash(boom);
    await closing;

    let hangs = false;
    const never = new Promise<never>(() => undefined);
    const refuse = (): Promise<never> | undefined => (hangs ? never : undefined);
    const hanging = await threaded(createMemoryWorld({ clock }), { clock, refuse });
    hangs = true;
    await died(hanging);
    await clock.advance(1000);
    await hanging[Symbol.asyncDispose]();
    assert.equal(hanging.threads.length, 2);
    assert.ok(hanging.thread().terminated);
  });

  it('counts on where the one before ended', async () => {
    const clock = createFakeClock();
    const world = createMemoryWorld({ clock });
    const shelf = createMemoryShelf();
    const digest = shelf.put(someBytes(1000));
    const us = await threaded(world, { shelf, clock });
    const asker = world.node({ peerId: 'asker', shelf: createMemoryShelf() });
    await bytesOf((await asker.range('us', { digest, offset: 0 })).body);
    await clock.advance(1000);
    await turns(3);
    assert.equal(us.network.status().uploadedBytes, 1000);
    await died(us);
    assert.equal(us.network.status().uploadedBytes, 1000);
    await us[Symbol.asyncDispose]();
  });
});

describe('closing a network in another thread', () => {
  it('closes it over there, ends the thread and gives back the shelf, once', async () => {
    const shelf = createMemoryShelf();
    const digest = shelf.put(someBytes(10));
    const clock = createFakeClock();
    const us = await threaded(createMemoryWorld({ clock }), { shelf, clock });
    await us.borrowed().open(digest);
    await Promise.all([us[Symbol.asyncDispose](), us[Symbol.asyncDispose]()]);
    assert.ok(us.thread().terminated);
    await shelf.whenClosed();
    await turns(3);
    await clock.advance(600_000);
    assert.equal(us.threads.length, 1);
    us.facts.emit('blob:evicted', { digest, size: 10, reason: 'request' });
    assert.equal(clock.pending, 0);
  });
});
