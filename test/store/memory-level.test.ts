import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tables } from '../../src/store/level-database.ts';
import { createMemoryLevel } from '../../src/store/memory-level.ts';

const table = tables.documents;
const key = (text: string): Buffer => Buffer.from(text);

test('a crash takes back what was written since the last synced write, and nothing before it', async () => {
  const level = createMemoryLevel();
  const at = async (name: string) => (await level.get(table, key(name)))?.toString();
  await level.write([{ table, key: key('a'), value: key('1') }]);
  await level.write([{ table, key: key('b'), value: key('1') }], { sync: true });
  await level.write([
    { table, key: key('a'), value: key('2') },
    { table, key: key('b'), value: undefined },
  ]);
  await level.write([{ table, key: key('a'), value: key('3') }]);
  assert.deepEqual([await at('a'), await at('b')], ['3', undefined]);
  level.crash();
  assert.deepEqual([await at('a'), await at('b')], ['1', '1']);
  level.crash();
  assert.equal(await at('a'), '1');
});

test('entries come by ascending keys, those with a prefix only', async () => {
  const level = createMemoryLevel();
  for (const name of ['b2', 'a', 'b10', 'c']) await level.write([{ table, key: key(name), value: key('x') }]);
  const found: string[] = [];
  for await (const batch of level.entries(table, key('b')))
    for (const [name] of batch) found.push(name.toString());
  assert.deepEqual(found, ['b10', 'b2']);
});
