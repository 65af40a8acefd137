/** The simulator misses a defence that is gone. The long ones are in `test/slow/simulator`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashCheck, mutations } from '../../support/simulator/mutations.ts';
import { patched } from '../../support/simulator/mutated-tree.ts';
import { failed, runMutated } from '../../support/simulator/run-mutated.ts';

test('every mutation still fits the program: its text is there exactly once', async () => {
  for (const { patches } of mutations) for (const patch of patches) await patched(patch);
  await assert.rejects(
    patched({ file: 'package.json', text: 'no such text', becomes: '' }),
    /package\.json has the text of a mutation 0 times/,
  );
});

test(`without ${hashCheck.without} a run fails by the name of what was broken, and with it it passes`, async () => {
  const [without, whole] = await Promise.all([
    runMutated(hashCheck, { mutated: true }),
    runMutated(hashCheck, { mutated: false }),
  ]);
  assert.deepEqual(failed(without), hashCheck.fails);
  assert.deepEqual(failed(whole), []);
});
