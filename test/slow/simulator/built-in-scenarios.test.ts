/**
 * What is too long for every test run: each point of each built-in scenario twice, in processes with different heaps, time
 * zones and languages, and each mutation. One alone: `--test-name-pattern=atlantic-split`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtInNames, builtInScenario } from '../../../src/simulator/scenarios/built-in-scenario.ts';
import { readScenario } from '../../../src/simulator/scenario/read-scenario.ts';
import { mutations } from '../../support/simulator/mutations.ts';
import { runJob } from '../../support/simulator/run-job.ts';
import { failed, runMutated } from '../../support/simulator/run-mutated.ts';

const heap = ['--max-old-space-size=4096', '--stack-trace-limit=0'];
const one = { flags: ['--max-semi-space-size=64', ...heap], env: { TZ: 'UTC', LANG: 'C.UTF-8' } };
const other = {
  flags: ['--max-semi-space-size=8', ...heap],
  env: { TZ: 'Asia/Kathmandu', LANG: 'tr_TR.UTF-8' },
};

for (const name of builtInNames) {
  const { text, file } = builtInScenario(name);
  for (const { scenario, settings } of readScenario(text, file).points) {
    const point = settings.map(({ pointer, value }) => `${pointer} ${value}`).join(', ');
    test(`${name} ${point} keeps its promises, and runs the same in processes with other heaps, time zones and languages`, async () => {
      const [first, second] = await Promise.all([runJob(scenario, one), runJob(scenario, other)]);
      assert.equal(second.result.trace, first.result.trace);
      assert.deepEqual(second, first);
      const broken = first.result.findings.filter(({ verdict }) => verdict !== 'pass');
      assert.deepEqual(broken, []);
    });
  }
}

for (const mutation of mutations) {
  const { without, fails } = mutation;
  test(`without ${without} a run fails by name, and with it it passes`, async () => {
    const [gone, there] = await Promise.all([
      runMutated(mutation, { mutated: true }),
      runMutated(mutation, { mutated: false }),
    ]);
    assert.deepEqual(failed(there), []);
    assert.deepEqual(failed(gone), fails);
  });
}
