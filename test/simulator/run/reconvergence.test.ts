import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelEvent } from '../../../src/simulator/model/model-event.ts';
import { Reconvergence } from '../../../src/simulator/run/reconvergence.ts';

const second = 1e6;

function create(nodes: number) {
  const reconvergence = new Reconvergence();
  const tell = (s: number, event: ModelEvent): void => reconvergence.observe(s * second, event);
  for (let node = 0; node < nodes; node++)
    tell(0, { kind: 'node-up', node, incarnation: 0, peerId: `p${node}` });
  return {
    tell,
    signed: (s: number, node: number, size: number) =>
      tell(s, {
        kind: 'fact',
        node,
        name: 'publisher:signed',
        fact: { origin: `log${node}`, size } as never,
      }),
    heard: (s: number, node: number, origin: number, size: number) =>
      tell(s, {
        kind: 'fact',
        node,
        name: 'head:advanced',
        fact: { origin: `log${origin}`, seq: size - 1 } as never,
      }),
    after: (s: number) =>
      [...reconvergence.timesAfter(s * second)].map(([node, time]) => [
        node,
        time === undefined ? undefined : time / second,
      ]),
  };
}

test('a node has reconverged when it has every live publisher’s log up to the heal', () => {
  const { signed, heard, after } = create(4);
  signed(10, 0, 5);
  signed(11, 1, 7);
  // Later than the heal: not asked for.
  signed(130, 0, 6);
  heard(20, 2, 0, 5);
  heard(110, 2, 1, 6);
  heard(125, 2, 1, 7);
  heard(50, 3, 0, 5);
  heard(105, 0, 1, 7);
  heard(90, 1, 0, 5);
  assert.deepEqual(after(100), [
    [0, 5],
    [1, 0],
    [2, 25],
    [3, undefined],
  ]);
});

test('a publisher that was down at the heal is not waited for, and who was down is not asked', () => {
  const { signed, heard, tell, after } = create(3);
  signed(10, 0, 5);
  signed(10, 1, 7);
  tell(50, { kind: 'node-down', node: 1, how: 'crash' });
  heard(120, 2, 0, 5);
  assert.deepEqual(after(100), [
    [0, 0],
    [2, 20],
  ]);
});

test('what a node knew before it lost its disk does not count', () => {
  const { signed, heard, tell, after } = create(2);
  signed(10, 0, 5);
  heard(20, 1, 0, 5);
  tell(110, { kind: 'node-wiped', node: 1 });
  assert.deepEqual(after(100)[1], [1, undefined]);
  heard(140, 1, 0, 5);
  assert.deepEqual(after(100)[1], [1, 40]);
});
