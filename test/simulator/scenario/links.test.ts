import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fixFaultHosts } from '../../../src/simulator/scenario/fault-hosts.ts';
import { Links, type LinkMode } from '../../../src/simulator/scenario/links.ts';
import { UPSTREAM, upstreamHost, type ScenarioHost } from '../../../src/simulator/scenario/scenario-host.ts';
import type { CutMode, Fault } from '../../../src/simulator/scenario/scenario.ts';
import { faultTimeline } from '../../../src/simulator/scenario/timeline.ts';

const nodes: ScenarioHost[] = Array.from({ length: 6 }, (_, id) => ({
  id,
  region: id < 3 ? 'eu' : 'na',
  profile: 'home',
  roles: [],
}));
const hosts = [...nodes, upstreamHost];

function linksOf(...faults: Fault[]): Links {
  const links = new Links(hosts);
  for (const fault of faults) {
    const fixed = fixFaultHosts(fault, hosts, { seed: 1 }, 0);
    assert.ok(!('message' in fixed), JSON.stringify(fixed));
    links.begin(fixed);
  }
  return links;
}

const blackhole: CutMode = { kind: 'blackhole' };
const split = (id: string, at: number, length: number | undefined, mode: CutMode = blackhole): Fault => ({
  id,
  at,
  for: length,
  kind: 'partition',
  groups: [['region:eu'], ['rest']],
  bridge: undefined,
  mode,
});
const isolate = (
  id: string,
  at: number,
  length: number | undefined,
  group: string,
  mode = blackhole,
): Fault => ({
  id,
  at,
  for: length,
  kind: 'isolate',
  group: [group],
  mode,
});
const oneWay = (id: string, at: number, length: number, from: string, to: string): Fault => ({
  id,
  at,
  for: length,
  kind: 'one-way',
  from: [from],
  to: [to],
});

test('a partition keeps each group together and cuts it from the others, from its beginning to before its end', () => {
  const links = linksOf(split('a', 10, 5));
  assert.deepEqual([9, 10, 14, 15].map((now) => links.mode(0, 3, now)), ['up', 'blackhole', 'blackhole', 'up']); // prettier-ignore
  assert.equal(links.mode(3, 0, 10), 'blackhole');
  assert.equal(links.mode(0, 2, 10), 'up');
  assert.equal(links.mode(4, 5, 10), 'up');
});

test('a partition cuts the upstream from every group but the first', () => {
  const links = linksOf(split('a', 10, 5));
  assert.equal(links.mode(0, UPSTREAM, 10), 'up');
  assert.equal(links.mode(3, UPSTREAM, 10), 'blackhole');
});

test('isolate cuts each host from everyone, partition keeps the set together', () => {
  const links = linksOf(isolate('a', 0, 5, 'region:eu'));
  assert.equal(links.mode(0, 1, 1), 'blackhole');
  assert.equal(links.mode(0, 4, 1), 'blackhole');
  assert.equal(links.mode(4, 0, 1), 'blackhole');
  assert.equal(links.mode(0, UPSTREAM, 1), 'blackhole');
  assert.equal(links.mode(4, 5, 1), 'up');
  // Clients live on their gateway's host: nothing is cut from itself.
  assert.equal(links.mode(0, 0, 1), 'up');
});

test('a bridge is cut from nobody', () => {
  const links = linksOf({
    ...split('a', 0, 5),
    groups: [['even & !node:0'], ['odd']],
    bridge: ['node:0'],
  } as Fault);
  assert.equal(links.mode(0, 1, 1), 'up');
  assert.equal(links.mode(1, 0, 1), 'up');
  assert.equal(links.mode(2, 1, 1), 'blackhole');
});

test('one-way drops the packets of one direction only', () => {
  const links = linksOf(oneWay('a', 0, 5, 'region:eu', 'region:na'));
  assert.equal(links.mode(0, 3, 1), 'one-way');
  assert.equal(links.mode(3, 0, 1), 'up');
});

test('a flaky link starts down', () => {
  const links = linksOf(split('a', 10, 12, { kind: 'flaky', up: 3, down: 2 }));
  const seen = Array.from({ length: 14 }, (_, i) => (links.mode(0, 3, 9 + i) === 'up' ? '+' : '-')).join('');
  assert.equal(seen, '+--+++--+++--+');
  assert.equal(links.mode(0, 3, 10), 'flaky-down');
});

test('of several faults the strongest counts, and each is a cause', () => {
  const faults = [
    split('flaky', 0, 9, { kind: 'flaky', up: 1, down: 9 }),
    oneWay('one-way', 0, 8, 'region:eu', 'region:na'),
    split('reject', 0, 7, { kind: 'reject' }),
    isolate('blackhole', 0, 6, 'node:0'),
  ];
  const links = linksOf(...faults);
  assert.deepEqual([5, 6, 7, 8, 9].map((now) => links.mode(0, 3, now)), ['blackhole', 'reject', 'one-way', 'flaky-down', 'up']); // prettier-ignore
  assert.deepEqual(links.causes(0, 3, 5), ['flaky', 'one-way', 'reject', 'blackhole']);
  assert.deepEqual(links.causes(3, 1, 5), ['flaky', 'reject']);
});

test('heal(f) is when the last link that f cut is up under all faults', () => {
  assert.equal(linksOf(split('a', 10, 5)).healOf('a'), 15);
  // b holds some of a's links down for longer; c begins when b ends and holds the same ones.
  const links = linksOf(
    split('a', 10, 5),
    isolate('b', 12, 8, 'node:4'),
    oneWay('c', 20, 4, 'node:4', 'node:0'),
  );
  assert.equal(links.healOf('a'), 24);
  assert.equal(links.healOf('b'), 24);
  assert.equal(links.healOf('c'), 24);
  // Links of others do not count.
  assert.equal(linksOf(split('a', 10, 5), oneWay('b', 12, 90, 'node:0', 'node:1')).healOf('a'), 15);
});

test('a fault heals that cuts hosts whom nothing tells apart', () => {
  const everyone: Fault = {
    id: 'a',
    at: 0,
    for: 5,
    kind: 'isolate',
    group: ['all', 'role:upstream'],
    mode: blackhole,
  };
  assert.equal(linksOf(everyone).healOf('a'), 5);
  assert.deepEqual(linksOf(everyone).cutInstants(9), [0]);
});

test('a fault that never ends, or whose links another keeps down for ever, never heals', () => {
  assert.equal(linksOf(split('a', 10, undefined)).healOf('a'), undefined);
  assert.equal(linksOf(split('a', 10, 5), isolate('b', 12, undefined, 'node:0')).healOf('a'), undefined);
  assert.equal(linksOf(split('a', 10, 5)).healOf('b'), undefined);
});

test('a flaky fault heals when it was down for the last time', () => {
  assert.equal(linksOf(split('a', 0, 12, { kind: 'flaky', up: 3, down: 2 })).healOf('a'), 12);
  assert.equal(linksOf(split('a', 0, 13, { kind: 'flaky', up: 3, down: 2 })).healOf('a'), 12);
  assert.equal(linksOf(split('a', 0, 15, { kind: 'flaky', up: 3, down: 2 })).healOf('a'), 12);
  assert.equal(linksOf(split('a', 0, 11, { kind: 'flaky', up: 3, down: 2 })).healOf('a'), 11);
});

test('a later host is cut as its group is', () => {
  const links = linksOf(split('a', 0, 10));
  links.join({ id: 9, region: 'eu', profile: 'home', roles: [] });
  assert.equal(links.mode(9, 0, 1), 'up');
  assert.equal(links.mode(9, 3, 1), 'blackhole');
});

test('at one instant come heals, cuts, crashes and starts, then what is first in the file', () => {
  const crash = (id: string, at: number, length: number | undefined): Fault => ({
    id,
    at,
    for: length,
    kind: 'crash',
    group: ['node:0'],
    state: 'keep',
  });
  const events = faultTimeline([
    crash('c', 0, 10),
    crash('d', 10, undefined),
    split('b', 10, 5),
    split('a', 5, 5),
    { id: 'u', at: 5, for: 5, kind: 'upstream', mode: 'reject' },
  ]);
  assert.deepEqual(
    events.map(({ at, phase, edge, fault }) => `${at} ${phase} ${edge} ${fault.id}`),
    [
      '0 crash begin c',
      '5 cut begin a',
      '5 cut begin u',
      '10 heal end a',
      '10 heal end u',
      '10 cut begin b',
      '10 crash begin d',
      '10 start end c',
      '15 heal end b',
    ],
  );
});

/** The rules of the design page, said as plainly as possible, a microsecond at a time. */
function naiveMode(faults: readonly Fault[], from: number, to: number, now: number): LinkMode {
  const regionOf = (id: number): string => (id < 0 ? 'eu' : id < 3 ? 'eu' : 'na');
  const strengths = ['blackhole', 'reject', 'one-way', 'flaky-down'];
  const down = faults.flatMap((fault) => {
    if (from === to || now < fault.at || (fault.for !== undefined && now >= fault.at + fault.for)) return [];
    if (fault.kind === 'one-way') {
      const [a, b] = [fault.from, fault.to].map(([text]) => Number(text?.slice('node:'.length)));
      return from === a && to === b ? ['one-way'] : [];
    }
    if (fault.kind !== 'partition' && fault.kind !== 'isolate') return [];
    const isolated = fault.kind === 'isolate' ? Number(fault.group[0]?.slice('node:'.length)) : undefined;
    const cut =
      isolated === undefined ? regionOf(from) !== regionOf(to) : from === isolated || to === isolated;
    if (!cut) return [];
    if (fault.mode.kind !== 'flaky') return [fault.mode.kind];
    return (now - fault.at) % (fault.mode.up + fault.mode.down) < fault.mode.down ? ['flaky-down'] : [];
  });
  return (strengths.find((mode) => down.includes(mode)) ?? 'up') as LinkMode;
}

const END = 60;
const mode = fc.oneof(
  fc.constantFrom<CutMode>({ kind: 'blackhole' }, { kind: 'reject' }),
  fc.record({
    kind: fc.constant('flaky' as const),
    up: fc.integer({ min: 1, max: 5 }),
    down: fc.integer({ min: 1, max: 5 }),
  }),
);
const node = fc.integer({ min: 0, max: 5 });
const anyFault = fc
  .tuple(
    fc.integer({ min: 0, max: 30 }),
    fc.integer({ min: 1, max: 25 }),
    mode,
    node,
    node,
    fc.nat({ max: 2 }),
  )
  .map(([at, length, mode, a, b, kind]): Fault => {
    if (kind === 0) return split('', at, length, mode);
    if (kind === 1 || a === b) return isolate('', at, length, `node:${a}`, mode as never);
    return oneWay('', at, length, `node:${a}`, `node:${b}`);
  });
const anyFaults = fc
  .array(anyFault, { minLength: 1, maxLength: 4 })
  .map((faults) => faults.map((fault, index) => ({ ...fault, id: `f${index}` })));
const ids = hosts.map(({ id }) => id);
const pairs = ids.flatMap((a) => ids.map((b) => [a, b] as const));

test('every link at every instant is as a naive reading of the rules says', () => {
  fc.assert(
    fc.property(anyFaults, (faults) => {
      const links = linksOf(...faults);
      for (let now = 0; now < END; now++) {
        for (const [a, b] of pairs)
          assert.equal(links.mode(a, b, now), naiveMode(faults, a, b, now), `${a} -> ${b} at ${now}`);
      }
    }),
    { numRuns: 60 },
  );
});

test('nothing changes between one change and the next', () => {
  fc.assert(
    fc.property(anyFaults, (faults) => {
      const links = linksOf(...faults);
      const changes = new Set<number>();
      for (let at = links.nextChange(-1); at !== undefined; at = links.nextChange(at)) {
        changes.add(at);
        assert.ok(changes.size < 1000);
      }
      for (let now = 0; now < END; now++) {
        const moved = pairs.some(
          ([a, b]) => naiveMode(faults, a, b, now) !== naiveMode(faults, a, b, now - 1),
        );
        if (moved) assert.ok(changes.has(now), `a link changes at ${now}`);
      }
    }),
    { numRuns: 60 },
  );
});

test('heals and cuts are those of the naive model', () => {
  fc.assert(
    fc.property(anyFaults, (faults) => {
      const links = linksOf(...faults);
      const isUp = (a: number, b: number, now: number): boolean => naiveMode(faults, a, b, now) === 'up';
      for (const fault of faults) {
        const cutBy = (a: number, b: number, now: number): boolean => naiveMode([fault], a, b, now) !== 'up';
        const times = Array.from({ length: 400 }, (_, now) => now);
        const last = times.findLast((now) => pairs.some(([a, b]) => cutBy(a, b, now))) as number;
        const own = pairs.filter(([a, b]) => times.some((now) => cutBy(a, b, now)));
        const ups = own.map(([a, b]) => times.find((now) => now > last && isUp(a, b, now)) as number);
        assert.equal(links.healOf(fault.id), Math.max(...ups), fault.id);
      }
      const expected = Array.from({ length: END }, (_, now) => now).filter((now) =>
        pairs.some(([a, b]) => !isUp(a, b, now) && isUp(a, b, now - 1)),
      );
      assert.deepEqual(links.cutInstants(END), expected);
    }),
    { numRuns: 60 },
  );
});
