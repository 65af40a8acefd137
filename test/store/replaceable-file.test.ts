import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  createMemoryReplaceableFile,
  createReplaceableFile,
  type ReplaceableFile,
} from '../../src/store/replaceable-file.ts';

const folder = await mkdtemp(join(tmpdir(), 'fondue-file-'));
after(() => rm(folder, { recursive: true }));

async function* parts(...texts: (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    if (text instanceof Error) throw text;
    yield Buffer.from(text);
  }
}

async function content(file: ReplaceableFile): Promise<string | undefined> {
  const chunks = await file.read();
  if (chunks === undefined) return undefined;
  let text = '';
  for await (const chunk of chunks) text += Buffer.from(chunk).toString();
  return text;
}

let made = 0;
const kinds: [string, () => ReplaceableFile][] = [
  ['on disk', () => createReplaceableFile(join(folder, `f${made++}`))],
  ['in memory', createMemoryReplaceableFile],
];

for (const [what, create] of kinds) {
  describe(`a replaceable file ${what}`, () => {
    test('is missing at first and holds what it was last replaced with', async () => {
      const file = create();
      assert.equal(await content(file), undefined);
      await file.replace(parts('a', 'b'));
      await file.replace(parts('c'));
      assert.equal(await content(file), 'c');
    });

    test('keeps the version before when a replacement fails', async () => {
      const file = create();
      await file.replace(parts('good'));
      await assert.rejects(file.replace(parts('half', new Error('cut'))), /cut/);
      assert.equal(await content(file), 'good');
    });

    test('gives a reader one whole version while it is replaced', async () => {
      const file = create();
      await file.replace(parts('a'.repeat(600_000)));
      const chunks = await file.read();
      let text = '';
      for await (const chunk of chunks ?? []) {
        if (text === '') await file.replace(parts('b'));
        text += Buffer.from(chunk).toString();
      }
      assert.equal(text, 'a'.repeat(600_000));
    });
  });
}

test('nothing half-written stays beside it', async () => {
  const file = createReplaceableFile(join(folder, 'alone'));
  await assert.rejects(file.replace(parts('half', new Error('cut'))));
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('alone')),
    [],
  );
});
