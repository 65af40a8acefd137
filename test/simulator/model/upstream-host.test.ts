import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuCosts } from '../../../src/simulator/kernel/cpu/cpu-costs.ts';
import { Kernel } from '../../../src/simulator/kernel/kernel.ts';
import type { Owner } from '../../../src/simulator/kernel/owner.ts';
import { UpstreamHost, type Asker } from '../../../src/simulator/model/upstream-host.ts';
import { Host } from '../../../src/simulator/network/host.ts';
import type { LinkMode } from '../../../src/simulator/scenario/links.ts';
import { UPSTREAM } from '../../../src/simulator/scenario/scenario-host.ts';
import { createRandomness, deriveStream } from '../../../src/simulator/scenario/streams.ts';

const URL = 'https://pypi.org/simple/flask/';
/** There, the upstream's own time, and back; milliseconds. */
const ROUND_TRIP = 25;

interface World {
  readonly upstream: UpstreamHost;
  readonly asker: Asker;
  readonly seen: { cuts: number; unanswered: string[][] };
  link: (from: number, to: number, ms: number) => LinkMode;
  /** Milliseconds from the start. */
  pass(ms: number): Promise<void>;
  at(ms: number, work: () => void): void;
  outcome<T>(work: Promise<T>): { at?: number; value?: T; error?: string };
}

function createWorld(downlink = Infinity): World {
  const randomness = createRandomness(deriveStream(1, 0, 'world', 'test'));
  const kernel = new Kernel({ epoch: 0, costs: cpuCosts.zero, randomness, setImmediate });
  const owner: Owner = { node: 3, incarnation: 0, randomness, skew: 0, alive: true };
  const options = { address: '20.0.0.7', region: 'eu', inbound: 'open' as const, uplink: Infinity, downlink };
  const seen: World['seen'] = { cuts: 0, unanswered: [] };
  const world: World = {
    asker: { host: new Host(kernel, 3, 0, options), owner },
    seen,
    link: () => 'up',
    upstream: new UpstreamHost({
      kernel,
      links: { mode: (from, to, now) => world.link(from, to, now / 1000) },
      onCut: () => seen.cuts++,
      onUnanswered: (faults) => seen.unanswered.push([...faults]),
    }),
    pass: (ms) => kernel.run(ms * 1000),
    at: (ms, work) => void kernel.schedule(ms * 1000 - kernel.now, 'start', kernel.world, work),
    outcome(work) {
      const end: ReturnType<World['outcome']> = {};
      work.then(
        (value) => Object.assign(end, { at: kernel.now / 1000, value }),
        (error: Error) => Object.assign(end, { at: kernel.now / 1000, error: error.message }),
      );
      return end as never;
    },
  };
  return world;
}

test('an answer is what the upstream was when the request arrived, and takes the way there and back', async () => {
  const world = createWorld();
  let version = 'old';
  world.at(9, () => (version = 'new'));
  world.at(12, () => (version = 'newest'));
  const end = world.outcome(world.upstream.ask(world.asker, URL, () => version));
  await world.pass(100);
  assert.deepEqual(end, { at: ROUND_TRIP, value: 'new' });
});

test('a black hole swallows the request until it gives up, and the request arrives once the hole is gone', async () => {
  const world = createWorld();
  world.link = () => 'blackhole';
  const lost = world.outcome(world.upstream.ask(world.asker, URL, () => 'page'));
  await world.pass(11_000);
  assert.match(lost.error ?? '', /no answer within 10 s/);
  assert.equal(lost.at, 10_000);
  assert.equal(world.seen.cuts, 4);
  const late = world.outcome(world.upstream.ask(world.asker, URL, () => 'page'));
  world.at(12_500, () => (world.link = () => 'up'));
  await world.pass(30_000);
  assert.deepEqual(late, { at: 11_000 + 3000 + ROUND_TRIP, value: 'page' });
});

test('an answer that is cut on its way back is lost', async () => {
  const world = createWorld();
  world.link = (from) => (from === UPSTREAM ? 'one-way' : 'up');
  const end = world.outcome(world.upstream.ask(world.asker, URL, () => 'page'));
  await world.pass(20_000);
  assert.match(end.error ?? '', /no answer within 10 s/);
});

test('an upstream that is down is silent or refuses, names its faults, and is closed to all', async () => {
  const world = createWorld();
  assert.equal(world.upstream.isOpenTo(3), true);
  world.upstream.begin('down', 'reject');
  assert.equal(world.upstream.isOpenTo(3), false);
  const refused = world.outcome(world.upstream.ask(world.asker, URL, () => 'page'));
  await world.pass(100);
  assert.match(refused.error ?? '', /ECONNREFUSED/);
  world.upstream.begin('outage', 'blackhole');
  const silent = world.outcome(world.upstream.ask(world.asker, URL, () => 'page'));
  await world.pass(20_000);
  assert.match(silent.error ?? '', /no answer within 10 s/);
  assert.deepEqual(world.seen.unanswered[0], ['down']);
  assert.deepEqual(world.seen.unanswered[1], ['down', 'outage']);
  world.upstream.end('down');
  world.upstream.end('outage');
  assert.equal(world.upstream.isOpenTo(3), true);
});

test('who no longer wants an answer gets its own reason at once', async () => {
  const world = createWorld();
  const leave = new AbortController();
  const end = world.outcome(world.upstream.ask(world.asker, URL, () => 'page', leave.signal));
  world.at(5, () => leave.abort(new Error('left')));
  await world.pass(100);
  assert.deepEqual(end, { at: 5, error: 'left' });
});

test('a file comes through the host’s own line, in order, at its rate', async () => {
  const world = createWorld(1e6);
  const bytes = new Uint8Array(1e6).map((_, at) => at % 251);
  const end = world.outcome(collect(world.upstream.download(world.asker, URL, bytes).read()));
  await world.pass(5000);
  assert.deepEqual(end.value, Buffer.from(bytes));
  const expected = (1500 / 1448) * 1000;
  assert.ok(Math.abs((end.at as number) - expected) < 15, `${end.at} ms`);
});

test('a file that is cut in the middle goes on where it was, and a long silence breaks it', async () => {
  const world = createWorld(1e6);
  const bytes = new Uint8Array(1e6).map((_, at) => at % 251);
  world.at(500, () => (world.link = () => 'blackhole'));
  world.at(3000, () => (world.link = () => 'up'));
  const end = world.outcome(collect(world.upstream.download(world.asker, URL, bytes).read()));
  await world.pass(10_000);
  assert.deepEqual(end.value, Buffer.from(bytes));
  assert.ok((end.at as number) > 3000);
  world.link = () => 'blackhole';
  const broken = world.outcome(collect(world.upstream.download(world.asker, URL, bytes).read()));
  await world.pass(60_000);
  assert.match(broken.error ?? '', /no byte for 30 s/);
});

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const list: Uint8Array[] = [];
  for await (const piece of pieces) list.push(piece);
  return Buffer.concat(list);
}
