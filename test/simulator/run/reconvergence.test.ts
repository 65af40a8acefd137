import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelEvent } from '../../../src/simulator/model/model-event.ts';
import { advanced, faultBegan, served, signed, up, wiped } from '../../support/simulator/events.ts';
import { Reconvergence } from '../../../src/simulator/run/reconvergence.ts';

const second = 1e6;

function create(nodes: number) {
  const reconvergence = new Reconvergence();
  const tell = (s: number, event: ModelEvent): void => reconvergence.observe(s * second, event);
  for (let node = 0; node < nodes; node++)
    tell(0, { kind: 'node-up', node, incarnation: 0, peerId: `p${node}` });
  return {
    tell,
    signs: (s: number, node: number, size: number) =>
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
  const { signs, heard, after } = create(4);
  signs(10, 0, 5);
  signs(11, 1, 7);
  // Later than the heal: not asked for.
  signs(130, 0, 6);
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
  const { signs, heard, tell, after } = create(3);
  signs(10, 0, 5);
  signs(10, 1, 7);
  tell(50, { kind: 'node-down', node: 1, how: 'crash' });
  heard(120, 2, 0, 5);
  assert.deepEqual(after(100), [
    [0, 0],
    [2, 20],
  ]);
});

test('what a node knew before it lost its disk does not count', () => {
  const { signs, heard, tell, after } = create(2);
  signs(10, 0, 5);
  heard(20, 1, 0, 5);
  tell(110, { kind: 'node-wiped', node: 1 });
  assert.deepEqual(after(100)[1], [1, undefined]);
  heard(140, 1, 0, 5);
  assert.deepEqual(after(100)[1], [1, 40]);
});

/** One publisher, 0; nodes 0 and 1. `threshold` 1: the project's page changed with serial 5. */
function createJudged() {
  const reconvergence = new Reconvergence({
    threshold: 1,
    serialAsOf: (_project, serial) => (serial >= 5 ? 5 : 1),
    isByzantine: (fault) => fault === 'liars',
  });
  const tell = (s: number, event: ModelEvent): void => reconvergence.observe(s * second, event);
  for (const node of [0, 1, 2]) tell(0, up(node));
  tell(10, signed(0, 5, { mapRoot: 'right' }));
  return {
    tell,
    after: (s: number, end?: number) => {
      const times = reconvergence.timesAfter(s * second, end === undefined ? undefined : end * second);
      return [...times].map(([node, time]) => [node, time === undefined ? undefined : time / second]);
    },
  };
}

test('it counts when it was held for 30 s: neither a disk that is lost soon after nor the end of the run excuses', () => {
  const { tell, after } = createJudged();
  tell(110, advanced(1, 0, 5, { mapRoot: 'right' }));
  tell(125, wiped(1));
  tell(150, advanced(1, 0, 5, { mapRoot: 'right' }));
  assert.deepEqual(after(100)[1], [1, 50]);
  assert.deepEqual(after(100, 180)[1], [1, 50]);
  assert.deepEqual(after(100, 179)[1], [1, undefined]);
  // A disk that is lost when it had been held takes nothing back.
  tell(181, wiped(1));
  assert.deepEqual(after(100)[1], [1, 50]);
});

test('a log with another map than its publisher’s is not that log', () => {
  const { tell, after } = createJudged();
  tell(110, advanced(1, 0, 5, { mapRoot: 'forged' }));
  assert.deepEqual(after(100)[1], [1, undefined]);
  tell(120, advanced(1, 0, 5, { mapRoot: 'right' }));
  assert.deepEqual(after(100)[1], [1, 20]);
});

test('a page shown as seen after the heal that is older than what the policy makes of the logs begins it anew', () => {
  const { tell, after } = createJudged();
  tell(110, advanced(1, 0, 5, { mapRoot: 'right' }));
  tell(111, served(1, { serial: 5, content: 'a', age: 1 }));
  // Old, and it says so.
  tell(112, served(1, { serial: 1, content: 'b', age: 13 }));
  assert.deepEqual(after(100)[1], [1, 10]);
  tell(130, served(1, { serial: 1, content: 'b', age: 5 }));
  assert.deepEqual(after(100)[1], [1, 30]);
  tell(161, served(1, { serial: 1, content: 'b', age: 5 }));
  assert.deepEqual(after(100)[1], [1, 30]);
});

test('nobody has to believe a liar’s log', () => {
  const { tell, after } = createJudged();
  tell(20, signed(2, 9));
  tell(30, faultBegan('liars', 2));
  tell(110, advanced(1, 0, 5, { mapRoot: 'right' }));
  assert.deepEqual(after(100), [
    [0, 0],
    [1, 10],
    [2, undefined],
  ]);
});

test('where no live publisher had said anything, nobody has converged', () => {
  const { signs, tell, after } = create(2);
  assert.deepEqual(after(100), []);
  signs(10, 0, 5);
  assert.deepEqual(after(5), []);
  tell(50, { kind: 'node-down', node: 0, how: 'crash' });
  assert.deepEqual(after(100), []);
});
