import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { readScenario, renderScenario } from '../../../src/simulator/scenario/read-scenario.ts';
import { scenarioSchema } from '../../../src/simulator/scenario/scenario-schema.ts';
import { builtInNames, builtInScenario } from '../../../src/simulator/scenarios/built-in-scenario.ts';

// The validator that fastify brings.
const Ajv = (createRequire(createRequire(import.meta.url).resolve('fastify'))('ajv/dist/2020.js') as { default: new (options: object) => { compile(schema: object): ((value: unknown) => boolean) & { errors?: unknown } } }).default; // prettier-ignore
const validate = new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(
  scenarioSchema(),
);

const number = (units: string[], max = 500): fc.Arbitrary<string> =>
  fc.tuple(fc.integer({ min: 1, max }), fc.constantFrom(...units)).map(([value, unit]) => `${value}${unit}`);
const time = number(['ms', 's', 'm']);
const some = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 1 });
const distribution = fc.oneof(
  time,
  fc.record({ fixed: time }),
  fc.record({ exponential: fc.record({ mean: time }) }),
  fc.record({ weibull: fc.record({ shape: fc.double({ min: 0.2, max: 5, noNaN: true }), mean: time }) }),
  fc.record({ lognormal: fc.record({ median: time, sigma: fc.double({ min: 0, max: 3, noNaN: true }) }) }),
);
const size = fc.oneof(
  number(['B', 'kB', 'KiB', 'MB']),
  fc.record({ exponential: fc.record({ mean: number(['kB']) }) }),
);
const often = fc.oneof(
  fc.constant('none'),
  fc.record({ every: time }),
  fc.record({ rate: number(['/s', '/m', '/h']) }),
);
const group = fc.oneof(
  fc.constantFrom('region:eu', 'profile:home & !even', '!node:0-9', 'role:publisher', 'fraction:0.5'),
  fc.constant(['region:na', 'odd']),
);
const cut = {
  mode: some(fc.constantFrom('blackhole', 'reject')),
};
const flaky = { flaky: fc.record({ up: number(['s']), down: number(['s']) }) };
const when = { at: number(['s', 'ms']), for: some(number(['s'])) };
const keep = fc.constantFrom('keep', 'wipe');
const skew = fc.tuple(fc.boolean(), time).map(([behind, length]) => (behind ? `-${length}` : length));
const fault = fc.oneof(
  fc.record({ ...when, ...cut, partition: fc.constantFrom([['even'], ['odd']], ['region:na', 'rest']) }),
  fc.record({
    ...when,
    ...flaky,
    partition: fc.constant(['even & !node:0', 'odd']),
    bridge: fc.constant('node:0'),
  }),
  fc.record({ ...when, ...cut, isolate: group }),
  fc.record({ ...when, 'one-way': fc.constantFrom('even -> odd', 'rest -> region:eu') }),
  fc.record({ ...when, crash: group, state: some(keep) }),
  fc.record({ ...when, restart: group, state: some(keep) }),
  fc.record({ ...when, clock: group, skew }),
  fc.record({ ...when, byzantine: group, behaviour: fc.constantFrom('stale', ['forged', 'wrong-bytes']) }),
  fc.record({ ...when, upstream: fc.constant('down'), mode: some(fc.constantFrom('blackhole', 'reject')) }),
);
const scenario = fc.record({
  name: fc.constantFrom('x', 'a-long-name-1'),
  seed: some(fc.nat()),
  runs: some(fc.integer({ min: 1, max: 3 })),
  duration: fc.constant('2h'),
  warmup: some(time),
  security: some(fc.constantFrom('noise', 'plaintext')),
  cpu: some(fc.constantFrom('reference', 'young', 'zero')),
  cores: some(fc.integer({ min: 1, max: 4 })),
  nodes: fc.record({
    count: fc.integer({ min: 20, max: 40 }),
    regions: fc.constantFrom({ eu: 0.5, na: 0.5 }, { eu: '30%', na: '70%' }),
    bootstraps: some(fc.constantFrom(2, { among: 'region:na' })),
  }),
  hosts: some(fc.record({ home: fc.record({ inbound: fc.constantFrom('open', 'nat'), up: fc.oneof(fc.constant('unlimited'), number(['Mbit/s', 'kB/s'])) }) })),
  network: some(
    fc.record({
      latency: fc.oneof(fc.constant('regions10'), time, fc.constant({ eu: { eu: '1ms', na: '40ms' }, na: { eu: '50ms', na: '0' } })),
      jitter: some(number(['%'], 100)),
      loss: some(fc.nat({ max: 9999 }).map((value) => `${value / 100}%`)),
    }),
  ),
  policy: some(fc.record({ threshold: fc.integer({ min: 1, max: 2 }) })),
  replication: some(fc.nat({ max: 20 })),
  churn: some(
    fc.oneof(
      fc.constant('none'),
      fc.record({ session: distribution, downtime: distribution, rejoin: some(fc.record({ address: some(fc.constantFrom('keep', 'new')), state: some(keep) })), among: some(group) }),
    ),
  ),
  workload: some(
    fc.record({
      publishers: some(fc.constantFrom(2, 3, { count: 2, among: 'region:eu' })),
      snapshots: some(fc.record({ every: time })),
      pip: some(fc.oneof(fc.constant('none'), fc.record({ rate: number(['/s', '/m']), per: some(fc.constantFrom('network', 'node')) }))),
      new_files: some(often),
      removals: some(often),
      quarantine: some(often),
      upstream: some(fc.record({ projects: fc.integer({ min: 1, max: 1000 }), file_size: size, outages: some(fc.oneof(fc.constant('none'), fc.record({ up: distribution, down: distribution }))) })),
    }),
  ),
  faults: fc.array(fault, { maxLength: 4 }),
  assert: some(fc.record({ never: some(fc.constantFrom([], ['wrong_bytes'])), at_least: some(fc.constantFrom({ delivery: '99.5%' }, { availability: '50%' })) })),
}); // prettier-ignore

test('what is rendered reads back as the same scenario and fits the schema', () => {
  fc.assert(
    fc.property(scenario, (given) => {
      const plain: unknown = JSON.parse(JSON.stringify(given));
      assert.ok(validate(plain), JSON.stringify([plain, validate.errors]));
      const { scenario: read } = readScenario(stringify(plain), 'given.yaml');
      const rendered = renderScenario(read);
      assert.ok(validate(parse(rendered)), JSON.stringify(validate.errors));
      assert.deepEqual(readScenario(rendered, 'rendered.yaml').scenario, read);
    }),
    { numRuns: 200 },
  );
});

test('the published schema is what the code makes', () => {
  const published: unknown = JSON.parse(
    readFileSync(new URL('../../../docs/scenario.schema.json', import.meta.url), 'utf8'),
  );
  assert.equal(JSON.stringify(published), JSON.stringify(scenarioSchema()));
});

test('the schema refuses what the reader refuses about single keys', () => {
  const base = { name: 'x', nodes: { count: 3 } };
  assert.ok(validate(base));
  for (const wrong of [
    { ...base, seeed: 1 },
    { ...base, warmup: 30 },
    { ...base, warmup: '30' },
    { ...base, network: { loss: 1 } },
    { ...base, faults: [{ at: '1m' }] },
    { ...base, faults: [{ at: '1m', crash: 'all', restart: 'all' }] },
    { ...base, churn: { session: '1h' } },
    { ...base, assert: { never: ['wrong_byte'] } },
    { ...base, sweep: { '/seed': 1 } },
    { name: 'x' },
  ]) {
    assert.equal(validate(wrong), false, JSON.stringify(wrong));
    assert.throws(() => readScenario(stringify(wrong), 'x.yaml'));
  }
});

test('every built-in scenario fits the schema and renders', () => {
  for (const name of builtInNames) {
    const { text, file } = builtInScenario(name);
    assert.ok(validate(parse(text)), `${name}: ${JSON.stringify(validate.errors)}`);
    for (const { scenario } of readScenario(text, file).points)
      assert.deepEqual(readScenario(renderScenario(scenario), 'rendered.yaml').scenario, scenario);
  }
});
