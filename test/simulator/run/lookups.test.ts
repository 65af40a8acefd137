import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelEvent } from '../../../src/simulator/model/model-event.ts';
import type { CutSides } from '../../../src/simulator/run/cut-sides.ts';
import { Lookups } from '../../../src/simulator/run/lookups.ts';
import { began, digestOf, down, ended, fact, second, wiped } from '../../support/simulator/events.ts';

const [a, b] = [digestOf('a'), digestOf('b')];
/** Even and odd nodes, from 100 s to 200 s. */
const split: CutSides = {
  fault: 'split',
  from: 100 * second,
  until: 200 * second,
  sides: ['even', 'odd'],
  sideOf: (node) => (node % 2 === 0 ? 'even' : 'odd'),
};

/** Nodes 8 and 9 hold file a, nobody holds b. `unreachable`: holders; `cutAt`: seconds at which all are cut for an instant. */
function create({ unreachable = [] as number[], cutAt = -1 } = {}) {
  const lookups = new Lookups({
    holdersOf: (digest) => (digest === a ? [8, 9] : []),
    reaches: (_node, holder) => !unreachable.includes(holder),
    wasCut: (_a, _b, from, to) => cutAt * second >= from && cutAt * second <= to,
    cuts: [split],
  });
  const counters = (): Record<string, number> =>
    Object.fromEntries(
      lookups
        .counters(300 * second)
        .map(({ metric, group, value }) => [metric + (group === undefined ? '' : `[${group}]`), value]),
    );
  return {
    lookups,
    counters,
    tell: (s: number, event: ModelEvent) => lookups.observe(s * second, event),
    kinds: () =>
      lookups.times().values.map((one) => (one.kind === 'observed' ? one.value / second : one.kind)),
  };
}

test('found are verified bytes within 30 s; all that is no look-up is left out', () => {
  const { lookups, tell, kinds } = create();
  tell(-1, began(0, 1, a));
  tell(1, began(1, 1, a, { onDisk: true }));
  tell(1, began(2, 1, a, { upstreamOpen: true }));
  for (const id of [0, 1, 2]) tell(2, ended(id, 1, a, 'verified'));
  assert.equal(lookups.share, undefined);
  for (const id of [3, 4, 5, 6]) tell(10, began(id, 1, a));
  tell(12, ended(3, 1, a, 'verified'));
  tell(13, ended(4, 1, a, 'failed'));
  tell(40, ended(5, 1, a, 'verified'));
  tell(40.001, ended(6, 1, a, 'verified'));
  assert.deepEqual(kinds(), [2, 'failed', 30, 'failed']);
  assert.equal(lookups.share, 0.5);
});

test('who dies or is not watched to the end is censored, unless its 30 s were over', () => {
  const { lookups, tell, kinds } = create();
  tell(10, began(1, 1, a));
  tell(10, began(2, 2, a));
  tell(35, began(3, 3, a));
  tell(39, down(1));
  tell(41, down(2));
  lookups.finish(50 * second);
  assert.deepEqual(kinds(), ['censored', 'failed', 'censored']);
  assert.equal(lookups.share, 0);
});

test('a look-up is eligible when one live holder within reach held the file throughout', () => {
  const eligible = (
    options: Parameters<typeof create>[0],
    events: [number, ModelEvent][],
    end = 20,
  ): number => {
    const { tell, counters } = create(options);
    tell(10, began(1, 1, a));
    for (const [s, event] of events) tell(s, event);
    tell(end, ended(1, 1, a, 'failed'));
    return counters()['lookups_eligible.count'] ?? 0;
  };
  const gone: [number, ModelEvent][] = [
    [15, down(8)],
    [16, down(9)],
  ];
  assert.equal(eligible({}, []), 1);
  assert.equal(eligible({}, gone.slice(1)), 1);
  assert.equal(eligible({}, gone), 0);
  assert.equal(eligible({ unreachable: [8, 9] }, []), 0);
  assert.equal(eligible({ unreachable: [8] }, gone.slice(1)), 0);
  assert.equal(eligible({ cutAt: 12 }, []), 0);
  assert.equal(eligible({ cutAt: 9 }, []), 1);
  assert.equal(
    eligible({}, [
      [12, wiped(8)],
      [12, fact(9, 'blob:evicted', { digest: a })],
    ]),
    0,
  );
  assert.equal(
    eligible({}, [
      [12, wiped(8)],
      [12, fact(9, 'blob:evicted', { digest: b })],
    ]),
    1,
  );
  // Who cannot be dialled is within reach only while they are connected.
  const unreachable: number[] = [];
  const filtered: [number, ModelEvent][] = [[16, fact(1, 'peer:disconnected', { peerId: 'p9' })]];
  assert.equal(eligible({ unreachable }, [...gone.slice(0, 1), ...filtered]), 1);
  const parted = (): number => {
    const { tell, counters } = create({ unreachable });
    tell(10, began(1, 1, a));
    unreachable.push(8, 9);
    for (const [s, event] of filtered) tell(s, event);
    unreachable.length = 0;
    tell(20, ended(1, 1, a, 'failed'));
    return counters()['lookups_eligible.count'] ?? 0;
  };
  assert.equal(parted(), 0);
  // What happens after its 30 s does not change what it was.
  assert.equal(
    eligible(
      { cutAt: 45 },
      [
        [41, down(8)],
        [42, down(9)],
      ],
      50,
    ),
    1,
  );
});

test('look-ups of a cut count by the side of who asked, from its beginning to its heal', () => {
  const { lookups, tell, counters } = create();
  const ask = (s: number, id: number, node: number, found: boolean): void => {
    tell(s, began(id, node, found ? a : b));
    tell(s + 1, ended(id, node, found ? a : b, found ? 'verified' : 'failed'));
  };
  ask(99, 1, 1, false);
  ask(100, 2, 1, false);
  ask(105, 3, 2, true);
  ask(150, 4, 2, false);
  ask(199, 5, 4, true);
  ask(200, 6, 4, false);
  const found = counters();
  assert.equal(found['lookups.count'], 6);
  assert.equal(found['lookup_all'], 2 / 6);
  assert.equal(found['lookups.count(split)[even]'], 3);
  assert.equal(found['lookups_failed.count(split)[even]'], 1);
  assert.equal(found['lookup_all(split)[even]'], 2 / 3);
  assert.equal(found['lookup_eligible(split)[even]'], 1);
  assert.equal(found['lookups.count(split)[odd]'], 1);
  assert.equal(found['lookup_all(split)[odd]'], 0);
  assert.equal('lookup_eligible(split)[odd]' in found, false);
  // A second: of the run of 300 s, and of the cut's 100 s.
  assert.equal(found['lookups.mean'], 0.02);
  assert.equal(found['lookups_failed.mean'], 4 / 300);
  assert.equal(found['lookups(split).mean[even]'], 0.03);
  assert.equal(found['lookups_failed(split).mean[even]'], 0.01);
  const failed = lookups
    .series(300 * second)
    .find(({ metric, group }) => metric === 'lookups_failed(split)' && group === 'even');
  // Two asked in the bin of 100 s to 110 s would be 0.2 a second; bins without a look-up are blank.
  assert.deepEqual(
    failed?.points.filter(({ value }) => value !== undefined),
    [
      { at: 100 * second, value: 0 },
      { at: 150 * second, value: 0.1 },
      { at: 190 * second, value: 0 },
    ],
  );
});

test('a side where nobody looked anything up is there with none', () => {
  const { counters } = create();
  assert.equal(counters()['lookups.count(split)[odd]'], 0);
  assert.equal('lookup_all(split)[odd]' in counters(), false);
});
