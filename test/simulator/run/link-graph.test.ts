import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LinkGraph } from '../../../src/simulator/run/link-graph.ts';

/** What components are, found the long way. */
function components(nodes: ReadonlySet<number>, links: ReadonlySet<string>): [number, number][] {
  const label = new Map([...nodes].map((node) => [node, node]));
  for (let changed = true; changed;) {
    changed = false;
    for (const link of links) {
      const [a = 0, b = 0] = link.split(' ').map(Number);
      const least = Math.min(label.get(a) ?? 0, label.get(b) ?? 0);
      for (const node of [a, b]) {
        changed ||= label.get(node) !== least;
        label.set(node, least);
      }
    }
  }
  return [...label].sort(([a], [b]) => a - b);
}

const node = fc.nat(7);
const step = fc.oneof(
  fc.record({ kind: fc.constantFrom('add', 'remove'), a: node, b: node }),
  fc.record({ kind: fc.constantFrom('link', 'link', 'unlink'), a: node, b: node }),
);

test('components are those of the links there are, whatever came and went before', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const graph = new LinkGraph();
      const [nodes, links] = [new Set<number>(), new Set<string>()];
      for (const { kind, a, b } of steps) {
        const name = `${Math.min(a, b)} ${Math.max(a, b)}`;
        if (kind === 'add') {
          graph.add(a);
          nodes.add(a);
        } else if (kind === 'remove') {
          graph.remove(a);
          nodes.delete(a);
          for (const link of links) if (link.split(' ').includes(String(a))) links.delete(link);
        } else if (a !== b && kind === 'link') {
          graph.link(a, b);
          if (nodes.has(a) && nodes.has(b)) links.add(name);
        } else if (a !== b) {
          graph.unlink(a, b);
          links.delete(name);
        }
        assert.deepEqual(
          [...graph.components].sort(([x], [y]) => x - y),
          components(nodes, links),
        );
        assert.equal(graph.links, links.size);
        assert.equal([...graph.all()].length, links.size);
      }
    }),
  );
});

test('a link that goes while its ends stay joined leaves the very same components', () => {
  const graph = new LinkGraph();
  for (let id = 0; id < 4; id++) graph.add(id);
  for (const [a, b] of [
    [0, 1],
    [1, 2],
    [2, 0],
    [2, 3],
  ] as const)
    graph.link(a, b);
  const before = graph.components;
  graph.unlink(0, 1);
  assert.equal(graph.components, before);
  graph.unlink(2, 3);
  assert.deepEqual(
    [...graph.components].sort(([x], [y]) => x - y),
    [
      [0, 0],
      [1, 0],
      [2, 0],
      [3, 3],
    ],
  );
});
