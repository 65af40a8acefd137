import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoutingTables, type RoutingTablesOptions } from '../../../src/simulator/run/routing-tables.ts';
import { down, fact, up } from '../../support/simulator/events.ts';

const second = 1e6;
/** Nodes 0 and 1 against 2, from 10 s after the warm-up of 100 s, for 20 s; one packet after another is lost in one direction. */
const links: RoutingTablesOptions['links'] = {
  mode: (from, to, now) =>
    from < 2 && to === 2 && now >= 10 * second && now < 30 * second ? 'blackhole' : 'up',
  nextChange: (now) => [10 * second, 30 * second].find((at) => at > now),
};

function create() {
  const tables = new RoutingTables({ links, warmup: 100 * second });
  return {
    tables,
    tell(s: number, ...events: Parameters<RoutingTables['observe']>[1][]): boolean[] {
      return events.map((event) => tables.observe(s * second, event));
    },
  };
}

const added = (node: number, peer: number) => fact(node, 'dht:peer-added', { peerId: `p${peer}` });
const removed = (node: number, peer: number) => fact(node, 'dht:peer-removed', { peerId: `p${peer}` });

test('an entry leads nowhere while a fault parts the two either way, and while its peer does not run', () => {
  const { tables, tell } = create();
  tell(1, up(0), up(1), up(2));
  assert.equal(tables.staleShare(1 * second), undefined);
  tell(2, added(0, 1), added(1, 0), added(0, 2), added(2, 0));
  assert.equal(tables.staleShare(109 * second), 0);
  assert.equal(tables.staleShare(110 * second), 0.5);
  tell(111, added(1, 2));
  assert.equal(tables.staleShare(111 * second), 0.6);
  tell(112, removed(0, 2));
  assert.equal(tables.staleShare(112 * second), 0.5);
  assert.equal(tables.staleShare(130 * second), 0);
  // Node 0's own table is gone with it; nodes 1 and 2 still name it.
  tell(140, down(0));
  assert.equal(tables.staleShare(140 * second), 2 / 3);
  assert.equal(tables.meanSize, 1.5);
  tell(150, up(0));
  assert.equal(tables.staleShare(150 * second), 0);
  assert.equal(tables.meanSize, 1);
});

test('what is told twice, or of nobody, changes nothing', () => {
  const { tables, tell } = create();
  assert.deepEqual(tell(1, added(0, 7), added(0, 7), removed(0, 8), removed(3, 7)), [
    true,
    false,
    false,
    false,
  ]);
  assert.equal(tables.staleShare(2 * second), 1);
});
