import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fixFaultHosts } from '../../../src/simulator/scenario/fault-hosts.ts';
import { parseExpression } from '../../../src/simulator/scenario/group-expression.ts';
import { fixGroups, type GroupFault, type Membership } from '../../../src/simulator/scenario/groups.ts';
import { UPSTREAM, upstreamHost, type ScenarioHost } from '../../../src/simulator/scenario/scenario-host.ts';
import type { Fault, GroupText } from '../../../src/simulator/scenario/scenario.ts';

/** Ten nodes: 0-4 in eu, 5-7 in na, 8 and 9 in as; 0, 5 and 8 servers; 0 and 5 publishers, 8 a bootstrap. */
const nodes: ScenarioHost[] = Array.from({ length: 10 }, (_, id) => ({
  id,
  region: id < 5 ? 'eu' : id < 8 ? 'na' : 'as',
  profile: [0, 5, 8].includes(id) ? 'server' : 'home',
  roles: id === 0 || id === 5 ? ['publisher'] : id === 8 ? ['bootstrap'] : [],
}));
const hosts = [...nodes, upstreamHost];
const order = [3, 7, 0, 9, 5, 1, 8, 2, 6, 4];

const fix = (groups: GroupText[], partition = false): Membership | GroupFault =>
  fixGroups(groups, { hosts, order, partition });

function membersOf(groups: GroupText[], partition = false): number[][] {
  const fixed = fix(groups, partition);
  assert.ok(!('message' in fixed), JSON.stringify(fixed));
  return fixed.members.map((list) => [...list]);
}

const select = (...texts: string[]): number[] => membersOf([texts])[0] as number[];

function problem(groups: GroupText[]): string {
  const fixed = fix(groups);
  assert.ok('message' in fixed, 'no problem');
  return `${fixed.group}: ${fixed.message}`;
}

test('each word of a group means what the page says', () => {
  assert.deepEqual(select('all'), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual(select('even'), [0, 2, 4, 6, 8]);
  assert.deepEqual(select('odd'), [1, 3, 5, 7, 9]);
  assert.deepEqual(select('region:na'), [5, 6, 7]);
  assert.deepEqual(select('profile:server'), [0, 5, 8]);
  assert.deepEqual(select('role:publisher'), [0, 5]);
  assert.deepEqual(select('node:3'), [3]);
  assert.deepEqual(select('node:2-4'), [2, 3, 4]);
  assert.deepEqual(select('role:upstream'), [UPSTREAM]);
});

test('a list is a union, "a & b" an intersection, "!a" a complement', () => {
  assert.deepEqual(select('region:as', 'node:1'), [1, 8, 9]);
  assert.deepEqual(select('region:eu & odd'), [1, 3]);
  assert.deepEqual(select('!region:eu'), [5, 6, 7, 8, 9]);
  assert.deepEqual(select('!region:eu & !even & profile:home'), [7, 9]);
  assert.deepEqual(select('region:eu & !role:publisher', 'node:0'), [0, 1, 2, 3, 4]);
});

test('a fraction is the first part of one order of the nodes', () => {
  assert.deepEqual(select('fraction:0.3'), [0, 3, 7]);
  assert.deepEqual(select('fraction:0.5'), [0, 3, 5, 7, 9]);
  assert.deepEqual(select('!fraction:0.3'), [1, 2, 4, 5, 6, 8, 9]);
  assert.deepEqual(membersOf([['fraction:0.3'], ['rest']])[1], [1, 2, 4, 5, 6, 8, 9]);
});

test('rest is the nodes that no group names, never the upstream', () => {
  assert.deepEqual(membersOf([['region:eu'], ['rest']])[1], [5, 6, 7, 8, 9]);
  assert.deepEqual(membersOf([['rest'], ['region:eu']])[0], [5, 6, 7, 8, 9]);
  assert.deepEqual(membersOf([['region:eu'], ['rest', 'region:na'], ['node:8']])[1], [5, 6, 7, 9]);
});

test("a partition's upstream is with the first group unless a group names it", () => {
  assert.deepEqual(membersOf([['region:eu'], ['rest']], true), [[UPSTREAM, 0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]); // prettier-ignore
  assert.deepEqual(membersOf([['region:eu'], ['rest', 'role:upstream']], true)[1], [UPSTREAM, 5, 6, 7, 8, 9]);
});

test('two groups that share a host, an empty group and a second rest are errors', () => {
  assert.match(
    problem([['even'], ['node:3-4']]),
    /^1: node 4 \(eu, home\) is in group 0 \(even\) and in group 1/,
  );
  assert.match(problem([['role:upstream'], ['role:upstream']]), /^1: the upstream is in group 0/);
  assert.match(problem([['even & odd'], ['rest']]), /^0: group 0 \(even & odd\) is empty/);
  assert.match(problem([['all'], ['rest']]), /^1: group 1 \(rest\) is empty/);
  assert.match(problem([['fraction:0.04']]), /^0: group 0 .* is empty/);
  assert.match(problem([['even'], ['rest'], ['rest']]), /^2: a second "rest"/);
  // With the upstream only, the first group of a partition is as empty as without.
  assert.ok('message' in fix([['even & odd'], ['all']], true));
});

test('words that are none are refused with the nearest', () => {
  for (const [text, expected] of [
    ['regon:eu', /names no group/],
    ['', /empty part/],
    ['even &', /empty part/],
    ['node:5-3', /names no nodes/],
    ['node:x', /names no nodes/],
    ['role:publsher', /is no role/],
    ['fraction:30%', /no part of the nodes/],
    ['fraction:0', /no part of the nodes/],
    ['fraction:1.5', /no part of the nodes/],
    ['!rest', /"rest" stands alone/],
    ['rest & even', /"rest" stands alone/],
    ['!!even', /names no group/],
  ] as const) {
    const parsed = parseExpression(text);
    assert.ok(typeof parsed === 'object' && 'message' in parsed, text);
    assert.match(parsed.message, expected);
  }
});

const newcomer = (id: number, region: string): ScenarioHost => ({ id, region, profile: 'home', roles: [] });

test("a later host takes its region's group, else rest, and changes nobody else", () => {
  const fixed = fix([['region:na'], ['node:0-2'], ['rest']]) as Membership;
  fixed.join(newcomer(20, 'na'));
  fixed.join(newcomer(21, 'eu'));
  fixed.join(newcomer(22, 'nowhere'));
  assert.deepEqual([20, 21, 22].map((id) => fixed.groupOf(id)), [0, 2, 2]); // prettier-ignore
  fixed.join({ ...newcomer(1, 'na') });
  assert.equal(fixed.groupOf(1), 1);
  assert.deepEqual(fixed.members[1], [0, 1, 2]);
});

test('a later host of a fault without rest is in it only with its region; a partition leaves nobody outside', () => {
  const isolated = fix([['region:na']]) as Membership;
  isolated.join(newcomer(20, 'na'));
  isolated.join(newcomer(21, 'eu'));
  assert.deepEqual([isolated.groupOf(20), isolated.groupOf(21)], [0, undefined]);
  const byRole = fix([['role:publisher']]) as Membership;
  byRole.join(newcomer(20, 'eu'));
  assert.equal(byRole.groupOf(20), undefined);
  // All of a region's hosts are in it by chance, not since the fault names the region.
  const byNumber = fix([['node:8-9']]) as Membership;
  byNumber.join(newcomer(20, 'as'));
  assert.equal(byNumber.groupOf(20), undefined);
  const halves = fix([['even'], ['odd']], true) as Membership;
  halves.join(newcomer(21, 'eu'));
  assert.equal(halves.groupOf(21), 1);
});

test('groups of any expression are disjoint, not empty and within the hosts, or an error', () => {
  const atom = fc.constantFrom('all', 'even', 'odd', 'region:eu', 'region:na', 'profile:server', 'role:publisher', 'node:2-6', 'fraction:0.4'); // prettier-ignore
  const term = fc.tuple(fc.boolean(), atom).map(([not, word]) => (not ? `!${word}` : word));
  const expression = fc.array(term, { minLength: 1, maxLength: 3 }).map((terms) => terms.join(' & '));
  const group = fc.array(fc.oneof({ weight: 4, arbitrary: expression }, fc.constant('rest')), {
    minLength: 1,
    maxLength: 2,
  });
  fc.assert(
    fc.property(fc.array(group, { minLength: 1, maxLength: 3 }), fc.boolean(), (groups, partition) => {
      const fixed = fix(groups, partition);
      if ('message' in fixed) return;
      const all = fixed.members.flat();
      assert.equal(new Set(all).size, all.length);
      for (const [index, list] of fixed.members.entries()) {
        assert.ok(list.length > 0);
        for (const id of list) assert.equal(fixed.groupOf(id), index);
      }
      if (groups.flat().includes('rest')) assert.ok(nodes.every(({ id }) => fixed.groupOf(id) !== undefined));
    }),
    { numRuns: 500 },
  );
});

test('who a fault concerns depends on seed, run and the fault only', () => {
  const fault: Fault = {
    id: 'a',
    at: 0,
    for: 1,
    kind: 'isolate',
    group: ['fraction:0.5'],
    mode: { kind: 'reject' },
  };
  const draw = (id: string, seed: number, run: number): string => {
    const fixed = fixFaultHosts({ ...fault, id }, hosts, { seed }, run);
    assert.ok(!('message' in fixed));
    return fixed.membership.members.join();
  };
  assert.equal(draw('a', 1, 1), draw('a', 1, 1));
  assert.equal(new Set([draw('a', 1, 1), draw('b', 1, 1), draw('a', 2, 1), draw('a', 1, 2)]).size, 4);
});
