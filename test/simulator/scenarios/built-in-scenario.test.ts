import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { readScenario } from '../../../src/simulator/scenario/read-scenario.ts';
import { builtInNames, builtInScenario } from '../../../src/simulator/scenarios/built-in-scenario.ts';

test('each file of the folder is a built-in scenario of its own name that says what it asks', () => {
  const files = readdirSync(new URL('../../../src/simulator/scenarios', import.meta.url));
  const names = files.filter((file) => file.endsWith('.yaml')).map((file) => file.slice(0, -5));
  assert.deepEqual(names.sort(), [...builtInNames].sort());
  for (const name of builtInNames) {
    const { text, file, question } = builtInScenario(name);
    const { scenario } = readScenario(text, file);
    assert.equal(scenario.name, name);
    assert.match(question, /\?/);
    assert.ok(question.length > 100 && !question.includes('#'), question);
  }
});

test('an unknown built-in scenario is an error that names the nearest one', () => {
  assert.throws(() => builtInScenario('atlantic'), {
    message: 'there is no built-in scenario "atlantic"',
    fix: /did you mean atlantic-split\?/,
  });
});

test('the quick demo is thirty nodes and a cut that heals in a few minutes', () => {
  const { text, file } = builtInScenario('demo');
  const { scenario } = readScenario(text, file);
  assert.equal(scenario.nodes.count, 30);
  assert.ok(scenario.warmup + scenario.duration <= 300e6);
  assert.equal(scenario.faults[0]?.kind, 'partition');
});
