/** docs/threat-model.md says that each of its defences is tested: each row names tests that are there. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

test('every row of the threat model names tests that exist', () => {
  const page = readFileSync(new URL('../../docs/threat-model.md', import.meta.url), 'utf8');
  const [, table = ''] = /^## Who can do what\n(.*?)^## /ms.exec(page) ?? [];
  const rows = table
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2);
  assert.ok(rows.length >= 19, `${rows.length} rows`);
  for (const row of rows) {
    const tests = [...(row.split('|').at(-2) ?? '').matchAll(/`([\w/-]+)`/g)].map(([, name]) => name);
    assert.ok(tests.length > 0, row);
    for (const name of tests)
      assert.ok(existsSync(new URL(`../${name}.test.ts`, import.meta.url)), `no test ${name}: ${row}`);
  }
});
