/** The scenarios that docs/simulator.md shows can be run as they stand. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readScenario } from '../../src/simulator/scenario/read-scenario.ts';

const page = readFileSync(new URL('../../docs/simulator.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, block = '']) => block);

test('the page shows a scenario', () => {
  assert.ok(blocks.length > 0);
});

for (const [at, block] of blocks.entries()) {
  test(`YAML block ${at + 1} of the page is a scenario without a problem`, () => {
    assert.ok(readScenario(block, 'docs/simulator.md').points.length > 0);
  });
}
