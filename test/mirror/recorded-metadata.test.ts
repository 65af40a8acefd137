import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../src/core/digest.ts';
import { createFactEmitter } from '../../src/core/facts.ts';
import { createRecordedMetadata } from '../../src/mirror/recorded-metadata.ts';
import { createMemoryCatalog } from '../../src/store/memory-catalog.ts';
import { foo } from './scripted-upstream.ts';

const wheel = '11'.repeat(32) as Digest;
const first = '22'.repeat(32) as Digest;
const second = '33'.repeat(32) as Digest;

test('what cannot be written down is remembered, told, and gives way to what can', async () => {
  const catalog = createMemoryCatalog();
  const facts = createFactEmitter();
  const noted: string[] = [];
  facts.on('network:noted', ({ message }) => noted.push(message));
  const recorded = createRecordedMetadata({ catalog, facts });
  const put = catalog.putWheelMetadata.bind(catalog);
  const document = catalog.putDocument.bind(catalog);
  const full = () => Promise.reject(new Error('no space left'));
  Object.assign(catalog, { putWheelMetadata: full, putDocument: full });
  await recorded.set(wheel, first);
  await recorded.mark(foo, wheel, first);
  assert.equal(await recorded.of(wheel), first);
  assert.equal(await catalog.wheelMetadata(wheel), undefined);
  assert.deepEqual(
    noted.map((message) => /could not be written: no space left/.test(message)),
    [true, true],
  );

  Object.assign(catalog, { putWheelMetadata: put, putDocument: document });
  await recorded.set(wheel, second);
  assert.equal(await recorded.of(wheel), second);
  assert.equal(await catalog.wheelMetadata(wheel), second);
  await recorded.set(wheel, 'none');
  assert.equal(await recorded.of(wheel), 'none');
});
