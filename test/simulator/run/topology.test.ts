import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelEvent } from '../../../src/simulator/model/model-event.ts';
import { Topology, type TopologyOptions } from '../../../src/simulator/run/topology.ts';

const second = 1e6;
/** Nodes 0 and 1 against 2 and 3. */
const cut = {
  fault: { id: 'split', kind: 'partition' },
  membership: { groupOf: (id: number) => (id < 2 ? 0 : 1), members: [], join: () => undefined },
  bridge: new Set<number>(),
} as never;

const never: TopologyOptions['links'] = { mode: () => 'up', nextChange: () => undefined };

/** All times of `links` are seconds after the warm-up, which takes five. */
function create(publishers: number[], enough: number, links: TopologyOptions['links'] = never) {
  const topology = new Topology({ publishers, enough, cuts: [cut], links, warmup: 5 * second });
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

/** Everything between the two sides is cut from 100 to 200 s after the warm-up. */
const cutFor: TopologyOptions['links'] = {
  mode: (a, b, now) => (a < 2 !== b < 2 && now >= 100 * second && now < 200 * second ? 'blackhole' : 'up'),
  nextChange: (now) => [100 * second, 200 * second].find((at) => at > now),
};

test('who is cut off is in another component at once, though both ends still have the connection', () => {
  const { topology, link, tell } = create([0], 1, cutFor);
  link(1, 0, 1);
  link(1, 1, 2);
  link(1, 2, 3);
  const together = () => topology.components.get(0) === topology.components.get(3);
  tell(104, { kind: 'fault-began', fault: 'other', hosts: [] });
  assert.ok(together());
  assert.equal(topology.staleShare, 0);
  tell(105, { kind: 'fault-began', fault: 'split', hosts: [] });
  assert.ok(!together());
  assert.equal(topology.connectedSince(3), undefined);
  // One of three connections, seen from both ends.
  assert.equal(topology.connections, 3);
  assert.ok(Math.abs((topology.staleShare ?? 0) - 1 / 3) < 1e-12);
  // A connection over the cut joins nobody; time alone heals it.
  link(150, 0, 3);
  assert.ok(!together());
  tell(206, { kind: 'fault-ended', fault: 'other', hosts: [] });
  assert.ok(together());
  assert.equal(topology.connectedSince(3), 205 * second);
  assert.equal(topology.staleShare, 0);
});

test('a connection is stale while its other end is down, or does not have it', () => {
  const { topology, link, tell } = create([0], 1);
  assert.equal(topology.staleShare, undefined);
  link(10, 0, 1);
  link(10, 0, 2);
  tell(20, { kind: 'node-down', node: 1, how: 'crash' });
  // Node 0 thinks it has two, node 2 one.
  assert.ok(Math.abs((topology.staleShare ?? 0) - 1 / 3) < 1e-12);
  tell(30, { kind: 'fact', node: 0, name: 'peer:disconnected', fact: { peerId: 'p1' } as never });
  assert.equal(topology.staleShare, 0);
  tell(40, { kind: 'fact', node: 3, name: 'peer:connected', fact: { peerId: 'p2' } as never });
  assert.ok(Math.abs((topology.staleShare ?? 0) - 1 / 3) < 1e-12);
});

test('connections that were told of before a node was up are there once it is', () => {
  const { topology, tell } = create([0], 1);
  tell(10, { kind: 'fact', node: 9, name: 'peer:connected', fact: { peerId: 'p0' } as never });
  tell(10, { kind: 'fact', node: 0, name: 'peer:connected', fact: { peerId: 'p9' } as never });
  assert.ok(!topology.isConnected(0, 9));
  tell(11, { kind: 'node-up', node: 9, incarnation: 0, peerId: 'p9' });
  assert.ok(topology.isConnected(0, 9));
});

test('a node that bridges a partition has no connection that the cut goes through', () => {
  const bridged = { ...(cut as object), bridge: new Set([0]) } as never;
  const options = { publishers: [0], enough: 1, cuts: [bridged], links: never, warmup: 0 };
  const topology = new Topology(options);
  const tell = (s: number, event: ModelEvent): void => topology.observe(s * second, event);
  for (let node = 0; node < 4; node++) tell(0, { kind: 'node-up', node, incarnation: 0, peerId: `p${node}` });
  const both = (s: number, name: 'peer:connected' | 'peer:disconnected', a: number, b: number): void => {
    tell(s, { kind: 'fact', node: a, name, fact: { peerId: `p${b}` } as never });
    tell(s, { kind: 'fact', node: b, name, fact: { peerId: `p${a}` } as never });
  };
  for (const [a, b] of [
    [0, 1],
    [0, 2],
    [2, 3],
    [1, 3],
  ] as const)
    both(1, 'peer:connected', a, b);
  both(150, 'peer:disconnected', 0, 2);
  // The bridge's own link is not missed; the crossing one is still there.
  assert.equal(topology.wholeAfter('split', 100 * second, 200 * second, 300 * second), 0);
});
