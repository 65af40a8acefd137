import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelEvent } from '../../../src/simulator/model/model-event.ts';
import { FileHolders } from '../../../src/simulator/run/file-holders.ts';
import { RoutingTables } from '../../../src/simulator/run/routing-tables.ts';
import { RunLevels } from '../../../src/simulator/run/run-levels.ts';
import type { Links } from '../../../src/simulator/scenario/links.ts';
import { Topology } from '../../../src/simulator/run/topology.ts';
import { advanced, digestOf, down, fact, linked, second, up } from '../../support/simulator/events.ts';

const a = digestOf('a');

/** A warm-up of 100 s; node 0 holds the only file. Times are the kernel's. */
function create(
  links: Pick<Links, 'mode' | 'nextChange'> = { mode: () => 'up', nextChange: () => undefined },
) {
  const topology = new Topology({ publishers: [], enough: 0, cuts: [], links, warmup: 100 * second });
  const holders = new FileHolders({ files: [a], disks: [[a]] });
  const warmup = 100 * second;
  const tables = new RoutingTables({ links, warmup });
  const levels = new RunLevels({ warmup, topology, holders, tables, isByzantine: () => false });
  const tell = (s: number, ...events: ModelEvent[]): void => {
    for (const event of events) {
      levels.settle(s * second);
      topology.observe(s * second, event);
      levels.observe(s * second, event);
    }
  };
  return {
    levels,
    tell,
    points: (metric: string) =>
      levels
        .series()
        .find((one) => one.metric === metric)
        ?.points.map(({ at, value }) => [at / second, value]),
  };
}

test('the state of the warm-up’s end is that of the beginning; what comes and goes in one instant never was', () => {
  const { levels, tell, points } = create();
  tell(10, up(0), up(1));
  tell(20, ...linked('peer:connected', 0, 1));
  tell(30, advanced(0, 9, 5), advanced(1, 9, 5));
  tell(120, advanced(1, 9, 6));
  tell(130, ...linked('peer:disconnected', 0, 1), ...linked('peer:connected', 0, 1));
  tell(140, fact(0, 'dht:peer-added', { peerId: 'p1' }), fact(1, 'dht:peer-added', { peerId: 'p0' }));
  tell(150, fact(1, 'blob:added', { digest: a }));
  tell(160, down(0));
  tell(170, ...linked('peer:disconnected', 1, 0).slice(0, 1));
  levels.finish(200 * second);
  assert.deepEqual(points('live'), [
    [0, 2],
    [60, 1],
  ]);
  assert.deepEqual(points('heads'), [
    [0, 1],
    [20, 2],
    [60, 1],
  ]);
  assert.deepEqual(points('divergence'), [
    [0, 0],
    [20, 0.5],
    [60, 0],
  ]);
  assert.deepEqual(points('connections'), [
    [0, 1],
    [60, 0],
  ]);
  assert.deepEqual(points('holders'), [
    [0, 1],
    [50, 2],
    [60, 1],
  ]);
  assert.deepEqual(points('availability'), [[0, 1]]);
  // Node 1 thinks for ten seconds that it is connected to one that died; then it has no connection at all.
  assert.deepEqual(points('stale_connections'), [
    [0, 0],
    [60, 1],
    [70, undefined],
  ]);
  assert.deepEqual(points('routes'), [
    [0, 0],
    [40, 1],
  ]);
  assert.deepEqual(points('stale_routes'), [
    [40, 0],
    [60, 1],
  ]);
  assert.equal(levels.availability(100 * second), 1);
});

test('a file that nobody within reach holds is not available to that part', () => {
  const { levels, tell } = create();
  tell(10, up(0), up(1), ...linked('peer:connected', 0, 1));
  tell(150, ...linked('peer:disconnected', 0, 1));
  levels.finish(200 * second);
  // All for half of the time, then one of two.
  assert.equal(levels.availability(100 * second), 0.75);
});

test('connections of the warm-up are those of its own time', () => {
  const { levels, tell } = create();
  tell(10, up(0), up(1));
  tell(50, ...linked('peer:connected', 0, 1));
  tell(120, down(0));
  assert.equal(levels.duringWarmUp('connections', 25 * second, 75 * second), 0.5);
  assert.equal(levels.duringWarmUp('connections', 75 * second, 100 * second), 1);
});

test('entries of routing tables during the warm-up are those of their own time, a live node', () => {
  const { levels, tell } = create();
  tell(10, up(0), up(1));
  tell(50, fact(0, 'dht:peer-added', { peerId: 'p1' }), fact(1, 'dht:peer-added', { peerId: 'p0' }));
  tell(120, down(0));
  assert.equal(levels.duringWarmUp('routes', 25 * second, 75 * second), 0.5);
  assert.equal(levels.duringWarmUp('routes', 75 * second, 100 * second), 1);
});

test('a link that a flaky cut takes away and gives back is stale meanwhile, though nobody says so', () => {
  const flips = [20, 30].map((s) => s * second);
  const isUp = (at: number): boolean => at < (flips[0] ?? 0) || at >= (flips[1] ?? 0);
  const { tell, levels, points } = create({
    mode: (_a, _b, at) => (isUp(at) ? 'up' : 'flaky-down'),
    nextChange: (at) => flips.find((flip) => flip > at),
  });
  tell(10, up(0), up(1), ...linked('peer:connected', 0, 1));
  // What happens changes nothing else that is measured.
  for (const s of [110, 120, 125, 130, 140]) tell(s, fact(0, 'publisher:signed', {}));
  levels.finish(200 * second);
  assert.deepEqual(points('stale_connections'), [
    [0, 0],
    [20, 1],
    [30, 0],
  ]);
});
