import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noteMode } from '../../../src/mirror/believed/mode-since.ts';
import { createMemoryCatalog } from '../../../src/store/memory-catalog.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

test('a mode began when it was first started in, and anew after another one', async () => {
  const clock = createFakeClock();
  const catalog = createMemoryCatalog();
  const begin = clock.now();
  assert.equal(await noteMode(catalog, 'quorum', clock), begin);
  await clock.advance(1000);
  assert.equal(await noteMode(catalog, 'quorum', clock), begin);
  assert.equal(await noteMode(catalog, 'direct', clock), begin + 1000);
  await clock.advance(1000);
  assert.equal(await noteMode(catalog, 'quorum', clock), begin + 2000);
});
