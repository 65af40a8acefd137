import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelEvent } from '../../../src/simulator/model/model-event.ts';
import { Topology } from '../../../src/simulator/run/topology.ts';

const second = 1e6;
/** Nodes 0 and 1 against 2 and 3. */
const cut = {
  fault: { id: 'split' },
  membership: { groupOf: (id: number) => (id < 2 ? 0 : 1), members: [], join: () => undefined },
  bridge: new Set<number>(),
} as never;

function create(publishers: number[], enough: number) {
  const topology = new Topology({ publishers, enough, cuts: [cut] });
  const tell = (s: number, event: ModelEvent): void => topology.observe(s * second, event);
  const both = (s: number, name: 'peer:connected' | 'peer:disconnected', a: number, b: number): void => {
    for (const [node, other] of [
      [a, b],
      [b, a],
    ] as const)
      tell(s, { kind: 'fact', node, name, fact: { peerId: `p${other}` } as never });
  };
  for (let node = 0; node < 4; node++) tell(0, { kind: 'node-up', node, incarnation: 0, peerId: `p${node}` });
  return {
    topology,
    tell,
    link: (s: number, a: number, b: number) => both(s, 'peer:connected', a, b),
    unlink: (s: number, a: number, b: number) => both(s, 'peer:disconnected', a, b),
  };
}

test('a node is connected since it could last hear enough publishers, through others too', () => {
  const { topology, link, unlink, tell } = create([0, 1], 2);
  link(10, 0, 1);
  link(20, 1, 2);
  link(30, 2, 3);
  assert.equal(topology.connectedSince(0), 10 * second);
  assert.equal(topology.connectedSince(3), 30 * second);
  unlink(40, 1, 2);
  link(41, 1, 2);
  assert.equal(topology.connectedSince(3), 41 * second);
  assert.equal(topology.connectedSince(0), 10 * second);
  tell(50, { kind: 'node-down', node: 0, how: 'crash' });
  tell(51, { kind: 'node-down', node: 3, how: 'crash' });
  assert.equal(topology.connectedSince(2), undefined);
});

test('a connection that only one end tells of is none', () => {
  const { topology, tell } = create([0], 1);
  tell(10, { kind: 'fact', node: 1, name: 'peer:connected', fact: { peerId: 'p0' } as never });
  assert.equal(topology.connectedSince(1), undefined);
});

test('after a heal the graph is whole when it is connected with half of the crossing links for 30 s', () => {
  const { topology, link, unlink } = create([0], 1);
  link(1, 0, 1);
  link(1, 2, 3);
  const crossing = [
    [0, 2],
    [0, 3],
    [1, 2],
    [1, 3],
  ] as const;
  for (const [a, b] of crossing) link(2, a, b);
  for (const [a, b] of crossing) unlink(100, a, b);
  // Healed at 200: one crossing link connects all, but two are half of four.
  link(210, 0, 2);
  link(220, 1, 3);
  unlink(235, 1, 3);
  link(240, 1, 3);
  const whole = (end: number): number | undefined =>
    topology.wholeAfter('split', 99 * second, 200 * second, end * second);
  assert.equal(whole(300), 40 * second);
  assert.equal(whole(269), undefined);
});
