import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../src/core/digest.ts';
import { createFactEmitter } from '../../src/core/facts.ts';
import { limits } from '../../src/core/limits.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import type { ProjectPage } from '../../src/core/project-page.ts';
import { createFileNotes } from '../../src/mirror/note-files.ts';
import type { FileOrigin } from '../../src/store/catalog.ts';

const digest = (page: number, file: number): Digest =>
  (page * 100_000 + file).toString(16).padStart(64, '0') as Digest;

/** The page of project `p<number>`. */
function pageWith(number: number, files = 1): ProjectPage {
  return {
    name: parseProjectName(`p${number}`),
    format: 'json',
    url: `https://pypi.org/simple/p${number}/`,
    files: Array.from({ length: files }, (_, file) => ({
      filename: `p${number}-${file}.tar.gz`,
      url: `https://files.pythonhosted.org/p${number}-${file}.tar.gz`,
      sha256: digest(number, file),
      hashes: {},
      size: undefined,
      coreMetadata: undefined,
      raw: {},
    })),
    raw: {},
  };
}

function setUp(options: { private?: boolean } = {}) {
  const facts = createFactEmitter();
  const told: string[] = [];
  facts.on('storage:full', ({ message }) => told.push(message));
  const writes: (readonly (readonly [Digest, FileOrigin])[])[] = [];
  const marked: Digest[] = [];
  const gate = { before: async (_digest?: Digest): Promise<void> => {} };
  const notes = createFileNotes({
    catalog: {
      async putFileOrigins(origins) {
        writes.push([...origins]);
        await gate.before();
      },
    },
    store: {
      visibility: () => undefined,
      async markVisibility(digest) {
        await gate.before(digest);
        marked.push(digest);
      },
    },
    facts,
    private: options.private ?? false,
  });
  return { notes, writes, marked, told, gate };
}

test('pages that come while one is being written down are written together, in order', async () => {
  const { notes, writes, gate } = setUp();
  const first = Promise.withResolvers<void>();
  gate.before = () => first.promise;
  notes.note(pageWith(1), undefined);
  await new Promise(setImmediate);
  for (const number of [2, 3, 4]) notes.note(pageWith(number), undefined);
  await new Promise(setImmediate);
  assert.equal(writes.length, 1);
  first.resolve();
  await notes.settled();
  assert.deepEqual(
    writes.map((write) => write.map(([, { project }]) => project)),
    [['p1'], ['p2', 'p3', 'p4']],
  );
});

test('a page of many files is written in small batches', async () => {
  const { notes, writes } = setUp();
  const { originsBatch } = limits.pages;
  notes.note(pageWith(1, 2 * originsBatch + 1), undefined);
  await notes.settled();
  assert.deepEqual(
    writes.map((write) => write.length),
    [originsBatch, originsBatch, 1],
  );
});

test('when too many pages wait their origins are left out, their private marks never', async () => {
  const { notes, writes, marked } = setUp({ private: true });
  const pages = limits.pages.originsWaiting + 5;
  for (let number = 1; number <= pages; number++) notes.note(pageWith(number), undefined);
  await notes.settled();
  assert.equal(writes.flat().length, limits.pages.originsWaiting);
  assert.equal(marked.length, pages);
  notes.note(pageWith(9999), undefined);
  await notes.settled();
  assert.equal(writes.flat().at(-1)?.[1].project, 'p9999', 'later ones are noted again');
});

test('a page whose marks cannot be written costs the others nothing, and is told', async () => {
  const { notes, writes, marked, told, gate } = setUp({ private: true });
  gate.before = async (wheel) => {
    if (wheel === digest(2, 0)) throw new Error('no room');
  };
  for (const number of [1, 2, 3]) notes.note(pageWith(number), undefined);
  await notes.settled();
  assert.deepEqual(marked, [digest(1, 0), digest(3, 0)]);
  assert.equal(writes.flat().length, 3);
  assert.deepEqual(told, ['files of p2 could not be noted: no room']);
});

test('origins that cannot be written are told with the names of their pages', async () => {
  const { notes, told, gate } = setUp();
  gate.before = async () => {
    throw new Error('no room');
  };
  for (const number of [1, 2, 3, 4]) notes.note(pageWith(number), undefined);
  await notes.settled();
  assert.deepEqual(told, ['files of p1, p2, p3 and others could not be noted: no room']);
});
