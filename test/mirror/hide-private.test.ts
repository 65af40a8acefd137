import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../src/core/digest.ts';
import { createFactEmitter } from '../../src/core/facts.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import { createProjectMatcher } from '../../src/core/project-pattern.ts';
import { hidePrivate } from '../../src/mirror/hide-private.ts';
import { createMemoryBlobStore } from '../../src/store/memory-blob-store.ts';
import { createMemoryCatalog } from '../../src/store/memory-catalog.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { digestOf, someBytes } from './file-node.ts';

const COMPANY = 'https://packages.acme.example/simple/';

async function setUp() {
  const store = createMemoryBlobStore({
    clock: createFakeClock(),
    facts: createFactEmitter(),
    quotaBytes: 1e6,
  });
  const catalog = createMemoryCatalog();
  const put = async (seed: number): Promise<Digest> => {
    const bytes = someBytes(100, seed);
    await using partial = await store.openPartial(digestOf(bytes));
    await partial.append(bytes, 'https://x');
    await partial.commit({ visibility: 'public' });
    return digestOf(bytes);
  };
  const page = async (name: string, upstream: string, file: Digest, metadata: Digest): Promise<void> => {
    const project = parseProjectName(name);
    const filename = `${name.replaceAll('-', '_')}-1.0-py3-none-any.whl`;
    const files = [
      { filename, url: filename, hashes: { sha256: file }, 'core-metadata': { sha256: metadata } },
    ];
    await catalog.putPage(project, {
      kind: 'page',
      body: Buffer.from(JSON.stringify({ meta: { 'api-version': '1.1' }, name, files })),
      format: 'json',
      url: `${upstream}${name}/`,
      etag: undefined,
      lastModified: undefined,
      serial: undefined,
      observedAt: 0,
      absentSince: undefined,
      upstream,
    });
  };
  return { store, catalog, put, page };
}

test('files and metadata of a name that has become private are hidden, others are not', async () => {
  const { store, catalog, put, page } = await setUp();
  const [file, metadata, other, otherMetadata, orphan, made] = await Promise.all([1, 2, 3, 4, 5, 6].map(put));
  assert.ok(file && metadata && other && otherMetadata && orphan && made);
  await page('acme-tool', 'https://pypi.org/simple/', file, metadata);
  await page('flask', 'https://pypi.org/simple/', other, otherMetadata);
  // Its page is gone.
  await catalog.putFileOrigins([
    [orphan, { project: parseProjectName('acme-old'), filename: 'acme_old-1.0-py3-none-any.whl' }],
  ]);
  await catalog.putWheelMetadata(orphan, made);
  const isPrivate = createProjectMatcher(['acme-*']);
  await hidePrivate({ catalog, store, isPrivate, privateUpstream: undefined });
  const seen = [file, metadata, orphan, made, other, otherMetadata].map((digest) => store.visibility(digest));
  assert.deepEqual(seen, ['private', 'private', 'private', 'private', 'public', 'public']);
});

test('files of an upstream that has become private are hidden, those of another upstream are not', async () => {
  const { store, catalog, put, page } = await setUp();
  const [file, metadata, other, otherMetadata] = await Promise.all([1, 2, 3, 4].map(put));
  assert.ok(file && metadata && other && otherMetadata);
  await page('tool', COMPANY, file, metadata);
  await page('flask', 'https://pypi.org/simple/', other, otherMetadata);
  await hidePrivate({ catalog, store, isPrivate: () => false, privateUpstream: COMPANY });
  const seen = [file, metadata, other, otherMetadata].map((digest) => store.visibility(digest));
  assert.deepEqual(seen, ['private', 'private', 'public', 'public']);
});
