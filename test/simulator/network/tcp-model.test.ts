/** Micro-checks of the transport's model against closed forms. Times in milliseconds; the pair stands at 1,000. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  connectedPair,
  createWorld,
  LATENCY,
  PORT,
  type End,
  type World,
} from '../../support/simulated-pair.ts';

const MB = 1e6;
const send = (world: World, from: End, bytes: number): void =>
  world.act(from, () => void from.socket.write(new Uint8Array(bytes)));

/** Sends as `drained` allows, until `bytes` are written. */
function pour(world: World, from: End, bytes: number): void {
  const { socket } = from;
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      const size = Math.min(left, 65_536);
      left -= size;
      if (!socket.write(new Uint8Array(size))) return;
    }
  };
  if (socket.user) socket.user.drained = more;
  world.act(from, more);
}

test('a dial takes one round trip for the dialler, and the other end hears of it half a round trip later', async () => {
  const world = createWorld();
  const [a, b] = [world.addEnd(), world.addEnd()];
  const dialled = world.dial(a, b);
  await world.pass(1000);
  assert.deepEqual(await dialled, { at: 2 * LATENCY, error: undefined });
  assert.deepEqual(b.heard.events, [{ at: 3 * LATENCY, what: 'accepted' }]);
});

test('a message takes the one-way latency, and what one event writes arrives as one', async () => {
  const world = await connectedPair();
  world.act(world.a, () => {
    world.a.socket.write(new Uint8Array(10));
    world.a.socket.write(new Uint8Array(20));
  });
  await world.pass(100);
  assert.deepEqual(world.b.heard.data, [{ at: 1000 + LATENCY, bytes: 30 }]);
});

test('a long transfer takes its wire bytes over the slower line', async () => {
  for (const [up, down] of [
    [1 * MB, 10 * MB],
    [10 * MB, 1 * MB],
  ] as const) {
    const world = await connectedPair({ a: { uplink: up }, b: { downlink: down } });
    pour(world, world.a, 20 * MB);
    await world.pass(60_000);
    assert.equal(world.b.heard.bytes, 20 * MB);
    const took = (world.b.heard.data.at(-1)?.at as number) - 1000;
    // Ten segments, doubling each round trip, fill a window of 100 ms at 1 MB/s after three round trips.
    const expected = ((20 * MB * 1500) / 1448 / MB) * 1000 + LATENCY;
    assert.ok(took > expected && took < expected + 4 * 2 * LATENCY, `${took} against ${expected}`);
  }
});

test('on a line without end the window doubles each round trip, and a long send buffer bounds it', async () => {
  const world = await connectedPair();
  world.act(world.a, () => void world.a.socket.write(new Uint8Array(200_000)));
  await world.pass(2000);
  const rounds = new Map<number, number>();
  for (const { at, bytes } of world.b.heard.data) rounds.set(at, (rounds.get(at) ?? 0) + bytes);
  const first = 1000 + LATENCY;
  assert.deepEqual(
    [...rounds],
    [
      [first, 14_480],
      [first + 100, 28_960],
      [first + 200, 57_920],
      [first + 300, 200_000 - 14_480 - 28_960 - 57_920],
    ],
  );
});

test('a second of rest closes the window again', async () => {
  const world = await connectedPair();
  send(world, world.a, 60_000);
  await world.pass(5000);
  world.b.heard.data.length = 0;
  send(world, world.a, 60_000);
  await world.pass(1000);
  const first = world.b.heard.data.filter(({ at }) => at === 6000 + LATENCY);
  assert.equal(
    first.reduce((sum, { bytes }) => sum + bytes, 0),
    14_480,
  );
});

test('beyond 256 KiB not acknowledged the sender is told to wait, and told when to go on', async () => {
  const world = await connectedPair();
  const answers: boolean[] = [];
  world.act(world.a, () => {
    answers.push(world.a.socket.write(new Uint8Array(262_143)), world.a.socket.write(new Uint8Array(1)));
  });
  await world.pass(1000);
  assert.deepEqual(answers, [true, false]);
  assert.deepEqual(world.a.heard.events, [{ at: 1000 + 2 * LATENCY, what: 'drained' }]);
});

test('two connections share a line fairly, though one sends in small pieces', async () => {
  const world = createWorld();
  const [a, b, c] = [world.addEnd({ uplink: MB }), world.addEnd(), world.addEnd()];
  const dialled = [world.dial(a, b)];
  await world.pass(500);
  const toB = a.socket;
  dialled.push(world.dial(a, c));
  await world.pass(500);
  await Promise.all(dialled);
  const toC = a.socket;
  for (const [socket, piece] of [
    [toB, 65_536],
    [toC, 200],
  ] as const) {
    const more = (): void => {
      while (socket.write(new Uint8Array(piece)));
    };
    if (socket.user) socket.user.drained = more;
    world.act(a, more);
  }
  await world.pass(10_000);
  const share = b.heard.bytes / (b.heard.bytes + c.heard.bytes);
  assert.ok(Math.abs(share - 0.5) < 0.02, `share ${share}`);
});

test('a small message does not wait for the bulk of another connection', async () => {
  const world = createWorld();
  const [a, b, c] = [world.addEnd({ uplink: MB }), world.addEnd(), world.addEnd()];
  const first = world.dial(a, b);
  await world.pass(500);
  const bulk = a.socket;
  const second = world.dial(a, c);
  await world.pass(500);
  await Promise.all([first, second]);
  pour(world, { ...a, socket: bulk }, 5 * MB);
  await world.pass(2000);
  send(world, a, 100);
  await world.pass(1000);
  const delay = (c.heard.data[0]?.at as number) - 3000;
  // At most one batch of 16 KiB is on the line already, and one more is its turn.
  assert.ok(delay <= LATENCY + 2 * 17.1, `${delay} ms`);
});

test('who pauses is sent nothing more after one way, and all of it once it resumes', async () => {
  const world = await connectedPair();
  world.act(world.b, () => world.b.socket.pause());
  await world.pass(100);
  send(world, world.a, 5000);
  await world.pass(1000);
  assert.equal(world.b.heard.bytes, 0);
  world.act(world.b, () => world.b.socket.resume());
  await world.pass(200);
  assert.deepEqual(world.b.heard.data, [{ at: 2100 + 2 * LATENCY, bytes: 5000 }]);
});

test('an end arrives after the data before it, and both sides are closed', async () => {
  const world = await connectedPair();
  world.act(world.a, () => {
    world.a.socket.write(new Uint8Array(100_000));
    world.a.socket.end();
  });
  await world.pass(2000);
  assert.equal(world.b.heard.bytes, 100_000);
  assert.deepEqual(world.b.heard.events, [{ at: 1000 + LATENCY + 200, what: 'ended' }]);
  assert.deepEqual([world.a.socket.open, world.b.socket.open, world.a.host.sockets.size], [false, false, 0]);
  assert.equal(world.kernel.pending, 0);
});

test('data to a closed end gets a reset after one way', async () => {
  const world = await connectedPair();
  world.act(world.a, () => world.a.socket.end());
  send(world, world.b, 10);
  await world.pass(1000);
  assert.deepEqual(world.b.heard.events, [{ at: 1000 + LATENCY, what: 'ended' }]);
  const other = await connectedPair();
  other.act(other.b, () => other.b.socket.reset());
  await other.pass(1000);
  assert.deepEqual(other.a.heard.events, [{ at: 1000 + LATENCY, what: 'ECONNRESET' }]);
});

test('a black hole holds what was sent until the retransmission timer after its end, and loses nothing', async () => {
  const world = await connectedPair();
  world.modes.set('0-1', 'blackhole').set('1-0', 'blackhole');
  send(world, world.a, 100);
  await world.pass(2000);
  send(world, world.a, 100);
  await world.pass(1000);
  world.modes.clear();
  await world.pass(10_000);
  // From the handshake: srtt 100 ms, variation 50 ms, so 300 ms; a tail loss probe, then 300 ms doubling. Linux's timers end at
  // multiples of 32 ms, of 256 ms from 2,048 ms on: 1312, 1632, 2240, 3456, 5888.
  assert.deepEqual(world.b.heard.data, [
    { at: 5888 + LATENCY, bytes: 100 },
    { at: 5888 + 3 * LATENCY, bytes: 100 },
  ]);
});

test('an acknowledgement that is lost repeats nothing, and what is sent before the timer still passes', async () => {
  const world = await connectedPair();
  world.modes.set('1-0', 'one-way');
  send(world, world.a, 100);
  await world.pass(200);
  send(world, world.a, 50);
  await world.pass(2000);
  send(world, world.a, 25);
  await world.pass(2000);
  assert.deepEqual(world.b.heard.data, [
    { at: 1000 + LATENCY, bytes: 100 },
    { at: 1200 + LATENCY, bytes: 50 },
  ]);
  world.modes.clear();
  await world.pass(20_000);
  assert.equal(world.b.heard.bytes, 175);
});

test('resets and ends vanish in a black hole: the other end stays half open', async () => {
  const world = await connectedPair();
  world.modes.set('0-1', 'blackhole').set('1-0', 'blackhole');
  world.act(world.a, () => world.a.socket.reset());
  await world.pass(60_000);
  world.modes.clear();
  await world.pass(60_000);
  assert.deepEqual([world.b.heard.events, world.b.socket.open], [[], true]);
  send(world, world.b, 1);
  await world.pass(1000);
  assert.deepEqual(world.b.heard.events, [{ at: 121_000 + 2 * LATENCY, what: 'ECONNRESET' }]);
});

test('nothing acknowledged for a quarter of an hour ends the connection', async () => {
  const world = await connectedPair();
  world.modes.set('0-1', 'blackhole');
  send(world, world.a, 1);
  await world.pass(1_100_000);
  const [event] = world.a.heard.events;
  assert.ok(event);
  assert.equal(event.what, 'ETIMEDOUT');
  assert.ok(event.at > 924_600 && event.at < 1_050_000, `at ${event.at}`);
});

test('a rejecting link resets what is sent and refuses dials', async () => {
  const world = await connectedPair();
  world.modes.set('0-1', 'reject');
  send(world, world.a, 1);
  const dialled = world.dial(world.a, world.b);
  await world.pass(1000);
  assert.deepEqual(world.a.heard.events, [{ at: 1000 + 2 * LATENCY, what: 'ECONNRESET' }]);
  assert.deepEqual(await dialled, { at: 1000 + 2 * LATENCY, error: 'ECONNREFUSED' });
});

test('a SYN goes again after each of 5 s, then at 7, 11, 19, 35 and 67 s, and 131 s is the end', async () => {
  for (const [upAt, connectedAt] of [
    [500, 1000],
    [1500, 2000],
    [4500, 5000],
    [5500, 7000],
    [8000, 11_000],
    [20_000, 35_000],
    [40_000, 67_000],
  ] as const) {
    const world = createWorld();
    const [a, b] = [world.addEnd(), world.addEnd()];
    world.modes.set('1-0', 'blackhole');
    const dialled = world.dial(a, b);
    await world.pass(upAt);
    world.modes.clear();
    await world.pass(140_000);
    assert.deepEqual(await dialled, { at: connectedAt + 2 * LATENCY, error: undefined });
  }
  const world = createWorld();
  const [a, b] = [world.addEnd(), world.addEnd({ inbound: 'filtered' })];
  const dialled = world.dial(a, b);
  await world.pass(140_000);
  assert.deepEqual(await dialled, { at: 131_000, error: 'ETIMEDOUT' });
});

test('a dial can be given up, and one to a port where nobody listens is refused', async () => {
  const world = createWorld();
  const [a, b, c] = [world.addEnd(), world.addEnd({ inbound: 'nat' }), world.addEnd()];
  const controller = new AbortController();
  const dialled = world.dial(a, b, controller.signal);
  await world.pass(2500);
  world.act(a, () => controller.abort(new Error('enough')));
  await world.pass(1);
  assert.deepEqual(await dialled, { at: 2500, error: 'enough' });
  const deaf = createWorld({ listens: false });
  const [d, e] = [deaf.addEnd(), deaf.addEnd()];
  const refused = deaf.dial(d, e);
  await deaf.pass(1000);
  assert.deepEqual(await refused, { at: 2 * LATENCY, error: 'ECONNREFUSED' });
  assert.throws(() => {
    world.network.listen(c.host, c.owner, PORT, () => {});
    world.network.listen(c.host, c.owner, PORT, () => {});
  }, /EADDRINUSE/);
});

test('a crashed host is silent while it is down and resets its old connections once it is back', async () => {
  const world = await connectedPair();
  world.kernel.kill(world.b.owner);
  world.network.crash(world.b.host);
  send(world, world.a, 1);
  await world.pass(10_000);
  assert.deepEqual(world.a.heard.events, []);
  world.network.restart(world.b.host);
  await world.pass(20_000);
  assert.deepEqual(
    world.a.heard.events.map(({ what }) => what),
    ['ECONNRESET'],
  );
  assert.throws(() => world.b.socket.write(new Uint8Array(1)), /is dead/);
});

test('a NAT forgets what rests for more than five minutes', async () => {
  const world = await connectedPair({ a: { inbound: 'nat' } });
  await world.pass(290_000);
  send(world, world.b, 1);
  await world.pass(290_000);
  send(world, world.a, 1);
  await world.pass(1000);
  assert.deepEqual([world.a.heard.bytes, world.b.heard.bytes], [1, 1]);
  await world.pass(310_000);
  send(world, world.b, 1);
  await world.pass(10_000);
  assert.equal(world.a.heard.bytes, 1);
  send(world, world.a, 1);
  await world.pass(1000);
  assert.deepEqual(
    world.a.heard.events.map(({ what }) => what),
    ['ECONNRESET'],
  );
});

test('loss delays, by a round trip with three segments behind and by the timer without, and loses nothing', async () => {
  const world = await connectedPair({ loss: 0.02, seed: 3, a: { uplink: MB } });
  pour(world, world.a, 5 * MB);
  await world.pass(600_000);
  assert.equal(world.b.heard.bytes, 5 * MB);
  const took = (world.b.heard.data.at(-1)?.at as number) - 1000;
  assert.ok(took > 7000, `${took} ms with loss`);
  // Alone: each lost message costs the timer, of 200 ms at the least.
  const alone = await connectedPair({ loss: 0.2, seed: 4 });
  const delays: number[] = [];
  for (let i = 0; i < 100; i++) {
    const { now } = alone.kernel;
    const before = alone.b.heard.data.length;
    send(alone, alone.a, 1);
    await alone.pass(20_000);
    delays.push((alone.b.heard.data[before]?.at as number) - now / 1000);
  }
  const prompt = delays.filter((delay) => delay === LATENCY).length;
  assert.ok(prompt > 65 && prompt < 95, `${prompt} of 100 at once`);
  assert.ok(
    delays.every((delay) => delay === LATENCY || delay >= LATENCY + 200),
    String(delays),
  );
});

test('what is lost travels alone, as often as the share says, and the rest in batches', async () => {
  const world = await connectedPair({ loss: 0.02, seed: 5, a: { uplink: MB } });
  pour(world, world.a, 5 * MB);
  await world.pass(600_000);
  const sizes = world.b.heard.data.map(({ bytes }) => bytes);
  // 3,622 segments: 72 of them lost, by the share.
  const alone = sizes.filter((size) => size === 1448).length;
  assert.ok(alone > 45 && alone < 110, `${alone} segments alone`);
  assert.ok(sizes.length < 800, `${sizes.length} arrivals`);
  assert.equal(Math.max(...sizes), 16_384);
});

test('jitter changes latency within its share and keeps the order', async () => {
  const world = await connectedPair({ jitter: 0.2 });
  for (let i = 0; i < 200; i++) {
    send(world, world.a, i + 1);
    await world.pass(1);
  }
  await world.pass(1000);
  assert.deepEqual(
    world.b.heard.data.map(({ bytes }) => bytes),
    Array.from({ length: 200 }, (_, i) => i + 1),
  );
  const delays = world.b.heard.data.map(({ at }, i) => at - 1000 - i);
  assert.ok(Math.min(...delays) >= 40 && Math.max(...delays) <= 60.002 && new Set(delays).size > 50);
});
