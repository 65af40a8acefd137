/** The freshness rules against a model: an upstream with a known history, behind a cache, that fails in every way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ProjectAnswer } from '../../src/mirror/mirror.ts';
import {
  absentAnswer,
  createPageNode,
  entry,
  failure,
  foo,
  hang,
  pageAnswer,
  timed,
  type PageNode,
} from './scripted-upstream.ts';

type Step =
  | { do: 'pass'; seconds: number }
  /** The upstream's page changes, is removed, or comes back. */
  | { do: 'publish' }
  | { do: 'remove' }
  | { do: 'ask'; noCache: boolean; wait: number }
  | { do: 'mode'; mode: 'ok' | 'down' | 'hang' | 'refuse' | 'garbage'; age: number }
  | { do: 'set-clock'; seconds: number }
  | { do: 'restart' };

/** Since `from` (monotonic ms) the upstream has had this serial; undefined: no page. */
interface Era {
  from: number;
  serial: number | undefined;
}

const HOUR = 3600;
const DAY = 24 * HOUR * 1000;

const common: fc.Arbitrary<Step>[] = [
  fc.record({ do: fc.constant('pass' as const), seconds: fc.oneof(fc.nat(90), fc.nat(3 * HOUR)) }),
  fc.record({ do: fc.constant('ask' as const), noCache: fc.boolean(), wait: fc.constantFrom(2000, 12_000) }),
  fc.record({ do: fc.constant('ask' as const), noCache: fc.constant(false), wait: fc.constant(12_000) }),
  fc.constantFrom<Step>({ do: 'publish' }, { do: 'publish' }, { do: 'remove' }),
  fc.record({
    do: fc.constant('mode' as const),
    mode: fc.constantFrom(
      'ok' as const,
      'ok' as const,
      'down' as const,
      'hang' as const,
      'refuse' as const,
      'garbage' as const,
    ),
    age: fc.constantFrom(0, 0, 0, 30, 400, 2 * HOUR),
  }),
];
const jumps = fc.record({
  do: fc.constant('set-clock' as const),
  seconds: fc.integer({ min: -HOUR, max: HOUR }),
});
const restarts = fc.record({ do: fc.constant('restart' as const) });

/** Runs the steps; after each question holds the answer against the history. */
async function play(steps: readonly Step[]): Promise<void> {
  let node: PageNode = createPageNode();
  const { clock, catalog } = node;
  const history: Era[] = [{ from: 0, serial: 1 }];
  let mode: Extract<Step, { do: 'mode' }> = { do: 'mode', mode: 'ok', age: 0 };
  let saidAbsent = Number.NEGATIVE_INFINITY;
  let pageSeen = false;
  let servedSerial = 0;
  let absentSince: number | undefined;

  const eraAt = (time: number): Era => history.findLast(({ from }) => from <= time) ?? (history[0] as Era);
  const answer: PageNode['upstream']['answer'] = (call, signal) => {
    if (mode.mode === 'hang') return hang(call, signal);
    if (mode.mode === 'down') throw failure(503);
    if (mode.mode === 'refuse') throw failure(403);
    if (mode.mode === 'garbage') return pageAnswer(clock, { body: '<html>' });
    const age = mode.age * 1000;
    const { serial } = eraAt(clock.monotonic() - age);
    if (serial === undefined) {
      saidAbsent = clock.monotonic();
      absentSince ??= clock.monotonic() - age;
      return absentAnswer(clock, age);
    }
    pageSeen = true;
    if (age === 0) absentSince = undefined;
    return pageAnswer(clock, { serial, age, files: [entry(`foo-${serial}.tar.gz`, serial)] });
  };
  node.upstream.answer = answer;

  function check(
    value: ProjectAnswer,
    ms: number,
    step: Extract<Step, { do: 'ask' }>,
    hadPage: boolean,
  ): void {
    if (hadPage) assert.ok(ms <= (step.noCache ? 3000 : 300), `a kept page cost ${ms} ms`);
    else assert.ok(ms <= step.wait, `${ms} ms for a patience of ${step.wait}`);
    if (value.kind === 'unknown') assert.ok(!hadPage, 'a kept page was not served');
    if (value.kind === 'absent') {
      assert.ok(clock.monotonic() - saidAbsent <= DAY + 60_000, 'absent, and the upstream never said so');
      if (hadPage)
        assert.ok(clock.monotonic() - (absentSince ?? Infinity) >= 60_000, 'a 404 was believed at once');
      servedSerial = 0;
    }
    if (value.kind !== 'page') return;
    const serial = Number(value.served.serial);
    assert.ok(serial >= servedSerial, `serial ${serial} after ${servedSerial}`);
    servedSerial = serial;
    const index = history.findLastIndex((era) => era.serial === serial);
    const ended = history[index + 1]?.from;
    const staleness = ended === undefined ? 0 : clock.monotonic() - ended;
    assert.ok(value.ageSeconds * 1000 >= staleness, `${value.ageSeconds} s told, ${staleness} ms true`);
    if (value.stale) assert.equal(value.freshSeconds, 0);
  }

  for (const step of steps) {
    if (step.do === 'pass') await clock.advance(step.seconds * 1000);
    else if (step.do === 'publish') {
      history.push({ from: clock.monotonic(), serial: history.length + 1 });
    } else if (step.do === 'remove') history.push({ from: clock.monotonic(), serial: undefined });
    else if (step.do === 'mode') mode = step;
    else if (step.do === 'set-clock') clock.jump(step.seconds * 1000);
    else if (step.do === 'restart') {
      await node[Symbol.asyncDispose]();
      node = createPageNode({ clock, catalog });
      node.upstream.answer = answer;
    } else {
      const hadPage = pageSeen && (await catalog.page(foo))?.kind === 'page';
      const { value, ms } = await timed(clock, node.project(foo, { noCache: step.noCache, wait: step.wait }));
      check(value, ms, step, hadPage);
    }
  }
  await node[Symbol.asyncDispose]();
}

for (const [what, extra] of [
  ['clocks that are set', jumps],
  ['restarts', restarts],
] as const) {
  test(`with ${what}: no age is too young, no serial goes back, no absence is made up, no client waits too long`, async () => {
    const steps = fc.array(fc.oneof(...common, extra), { minLength: 3, maxLength: 25 });
    await fc.assert(fc.asyncProperty(steps, play), { numRuns: 150, interruptAfterTimeLimit: 8000 });
  });
}
