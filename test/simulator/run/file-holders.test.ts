import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FileHolders } from '../../../src/simulator/run/file-holders.ts';
import { digestOf, down, fact, indexChanged, up, wiped } from '../../support/simulator/events.ts';

const [a, b, c] = [digestOf('a'), digestOf('b'), digestOf('c')];

/** Files a and b; node 0 holds a, node 1 holds both, node 2 nothing. */
function create(): FileHolders {
  const holders = new FileHolders({ files: [a, b], disks: [[a], [a, b], []] });
  for (const node of [0, 1, 2]) holders.observe(up(node));
  return holders;
}

test('a file has as many holders as live nodes hold it; files that the index lacks do not count', () => {
  const holders = create();
  assert.equal(holders.meanHolders, 1.5);
  holders.observe(fact(2, 'blob:added', { digest: b }));
  holders.observe(fact(2, 'blob:added', { digest: c }));
  assert.equal(holders.meanHolders, 2);
  holders.observe(down(1));
  assert.equal(holders.meanHolders, 1);
  assert.deepEqual(holders.holdersOf(b), [2]);
  holders.observe(up(1));
  holders.observe(fact(1, 'blob:evicted', { digest: b }));
  holders.observe(fact(2, 'blob:corrupt', { digest: b }));
  assert.equal(holders.meanHolders, 1);
  holders.observe(indexChanged(5, 'file-removed', b));
  assert.equal(holders.meanHolders, 2);
  // Held already when it came to the index.
  holders.observe(indexChanged(6, 'file-added', c));
  assert.equal(holders.meanHolders, 1.5);
  holders.observe(wiped(1));
  assert.equal(holders.meanHolders, 1);
});

test('a file is available to the nodes in whose component somebody holds it', () => {
  const holders = create();
  const one = new Map([
    [0, 0],
    [1, 0],
    [2, 0],
  ]);
  assert.equal(holders.availability(one), 1);
  // 0 | 1, 2: a is in both, b only in the second: (3 + 2) of 6 pairs.
  const parted = new Map([
    [0, 0],
    [1, 1],
    [2, 1],
  ]);
  assert.equal(holders.availability(parted), 5 / 6);
  // Node 1 is gone: b is nowhere.
  const left = new Map([
    [0, 0],
    [2, 0],
  ]);
  holders.observe(down(1));
  assert.equal(holders.availability(left), 0.5);
  assert.equal(holders.availability(new Map()), undefined);
});

test('a file that the index got and nobody holds is not available', () => {
  const holders = create();
  holders.observe(indexChanged(5, 'file-added', c));
  assert.equal(holders.availability(new Map([[1, 1]])), 2 / 3);
});
