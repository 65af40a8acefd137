import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFactEmitter } from '../../../src/core/facts.ts';
import { digestOfNames, encodeNames } from '../../../src/core/index-map/name-list.ts';
import { limits } from '../../../src/core/limits.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { readNamesBlob } from '../../../src/mirror/follow/names-blob.ts';
import type { BlobStore } from '../../../src/store/blob-store.ts';
import { createMemoryBlobStore } from '../../../src/store/memory-blob-store.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

function createStore() {
  const store = createMemoryBlobStore({
    clock: createFakeClock(),
    facts: createFactEmitter(),
    quotaBytes: 1e9,
  });
  let read = 0;
  const counting: Pick<BlobStore, 'open' | 'stat' | 'visibility'> = {
    stat: (digest) => store.stat(digest),
    visibility: (digest) => store.visibility(digest),
    async open(digest) {
      const reader = await store.open(digest);
      if (reader === undefined) return undefined;
      const before = reader.read.bind(reader);
      reader.read = async (...args) => {
        const got = await before(...args);
        read += got;
        return got;
      };
      return reader;
    },
  };
  return {
    counting,
    read: () => read,
    async put(bytes: Uint8Array, visibility: 'public' | 'private' = 'public') {
      const digest = digestOfNames(bytes);
      await using partial = await store.openPartial(digest, { size: bytes.length });
      await partial.append(bytes, 'local');
      await partial.commit({ visibility });
      return digest;
    },
  };
}

test('a list of names is given to who asks for it, and a private one to nobody', async () => {
  const { counting, put } = createStore();
  const bytes = encodeNames(
    ['flask', 'p-1', ...Array.from({ length: 500 }, (_, i) => `x${i}`)].map(parseProjectName),
  );
  assert.deepEqual(Buffer.from((await readNamesBlob(counting, await put(bytes))) ?? []), Buffer.from(bytes));
  const hidden = encodeNames([parseProjectName('acme')]);
  assert.equal(await readNamesBlob(counting, await put(hidden, 'private')), undefined);
  assert.equal(await readNamesBlob(counting, digestOfNames(Buffer.from('not here'))), undefined);
});

test('of any other blob that strangers ask for little is read', async () => {
  const { counting, put, read } = createStore();
  const rest = Buffer.alloc(4 * 1024 * 1024, 'a');
  for (const beginning of [
    'PK\u0003\u0004',
    '\u001f\u008b\u0008',
    'Metadata-Version: 2.1\n',
    '{"meta":{}}',
    ' ',
  ])
    assert.equal(
      await readNamesBlob(counting, await put(Buffer.concat([Buffer.from(beginning, 'latin1'), rest]))),
      undefined,
      beginning,
    );
  assert.ok(read() <= 5 * 1024, `${read()} bytes`);
  const before = read();
  const large = Buffer.alloc(limits.follow.namesBytes + 1, 'a');
  assert.equal(await readNamesBlob(counting, await put(large)), undefined);
  assert.equal(read(), before);
});
