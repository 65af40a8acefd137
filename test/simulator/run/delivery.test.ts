import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelEvent } from '../../../src/simulator/model/model-event.ts';
import { Delivery } from '../../../src/simulator/run/delivery.ts';
import {
  advanced,
  down,
  faultBegan,
  gossiped,
  second,
  signed,
  up,
  wiped,
} from '../../support/simulator/events.ts';

/** Nodes 0 to `nodes` - 1 are up; 0 publishes. */
function create(nodes: number) {
  const parted = new Set<number>();
  const truth = { components: new Map<number, number>() };
  const look = (): void => {
    truth.components = new Map(
      Array.from({ length: nodes }, (_, node) => [node, parted.has(node) ? 1 : 0] as const),
    );
  };
  look();
  const delivery = new Delivery({ components: () => truth.components, isByzantine: (id) => id === 'liars' });
  const tell = (s: number, event: ModelEvent): void => delivery.observe(s * second, event);
  for (let node = 0; node < nodes; node++) tell(-1, up(node));
  return {
    delivery,
    tell,
    part(node: number): void {
      parted.add(node);
      look();
    },
    counter: (metric: string) => delivery.counters().find((one) => one.metric === metric)?.value,
  };
}

test('delivered is what gossip told of within 10 s to nodes that were live throughout, the publisher apart', () => {
  const { delivery, tell, counter } = create(6);
  tell(-0.5, signed(0, 1));
  tell(100, signed(0, 2));
  // Node 4 is dead before it could hear; node 6 came too late; node 5 hears nothing.
  tell(102, down(4));
  tell(103, up(6));
  tell(105, gossiped(1, 0, 2));
  tell(110, gossiped(2, 0, 2));
  tell(110.001, gossiped(3, 0, 2));
  delivery.finish(200 * second);
  assert.equal(counter('delivery.pairs'), 4);
  assert.equal(delivery.delivery, 0.5);
});

test('a later head of the log tells of the record too, and what had less than 10 s does not count', () => {
  const { delivery, tell } = create(2);
  tell(100, signed(0, 2));
  tell(105, signed(0, 3));
  tell(106, gossiped(1, 0, 3));
  tell(195, signed(0, 4));
  delivery.finish(200 * second);
  assert.equal(delivery.delivery, 1);
});

test('delivery_reach leaves out who was in another component then, or 10 s later', () => {
  const { delivery, tell, part } = create(4);
  part(3);
  tell(100, signed(0, 2));
  tell(101, gossiped(1, 0, 2));
  part(2);
  delivery.finish(200 * second);
  assert.equal(delivery.delivery, 1 / 3);
  assert.equal(delivery.deliveryReach, 1);
});

test('what nodes got without having heard of it by gossip was repaired', () => {
  const { tell, counter } = create(3);
  tell(90, signed(0, 1));
  for (const size of [2, 3, 4]) tell(100 + size, signed(0, size));
  tell(105, gossiped(1, 0, 2));
  // Node 1 got 1 and 2 by gossip, 3 and 4 not; node 2 got all four without.
  tell(120, advanced(1, 0, 2));
  tell(121, advanced(1, 0, 4));
  tell(122, advanced(2, 0, 4));
  assert.equal(counter('repair_ratio'), 6 / 8);
  // The publisher has its own; what was got is not got again, but on an empty disk.
  tell(123, advanced(0, 0, 4));
  tell(124, advanced(2, 0, 4));
  assert.equal(counter('repair_ratio'), 6 / 8);
  tell(125, wiped(2));
  tell(126, advanced(2, 0, 4));
  assert.equal(counter('repair_ratio'), 10 / 12);
});

test('duplicates are copies beyond the first one at each node, for each first one', () => {
  const { tell, counter } = create(3);
  tell(-1, signed(0, 1));
  tell(-0.5, gossiped(1, 0, 1));
  tell(1, gossiped(1, 0, 1));
  assert.equal(counter('duplicates'), undefined);
  tell(10, gossiped(1, 0, 2));
  tell(10, gossiped(1, 0, 2));
  tell(10, gossiped(2, 0, 2));
  // Its own message that comes back is a copy like others, and nothing new.
  tell(11, gossiped(0, 0, 2));
  assert.equal(counter('gossip_copies'), 5);
  assert.equal(counter('duplicates'), 1.5);
});

test('liars are neither counted nor asked', () => {
  const { delivery, tell, counter } = create(4);
  tell(1, signed(0, 1));
  tell(2, faultBegan('liars', 0, 3));
  tell(3, gossiped(1, 0, 1));
  tell(20, signed(0, 2));
  delivery.finish(200 * second);
  assert.equal(counter('delivery.pairs'), 2);
  assert.equal(delivery.delivery, 0.5);
});
