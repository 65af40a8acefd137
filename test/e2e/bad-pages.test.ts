/** What an upstream may send by mistake or malice costs a client an honest error and the node nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { checkFolder } from '../support/folder-check.ts';
import { type NodeProcess, startNode } from '../support/node-process.ts';

const MB = 1_000_000;
const good = makeWheel({ name: 'good', extraBytes: 30_000 });

/** The node still serves others, and took no more memory than it may. */
async function assertUnharmed(node: NodeProcess, before: number, extra: number): Promise<void> {
  const answer = await download(`${node.index}good/`, { headers: jsonPage });
  assert.equal(answer.status, 200);
  const { rssBytes } = (await node.status()).process;
  assert.ok(rssBytes - before < extra, `${Math.round((rssBytes - before) / MB)} MB more`);
}

for (const [what, fault] of [
  ['a page of 100 MB', { kind: 'huge', bytes: 100 * MB }],
  ['a page of 100 MB without a length', { kind: 'huge', bytes: 100 * MB, chunked: true }],
  ['a page that unpacks from 300 KB to 300 MB', { kind: 'bomb', bytes: 300 * MB }],
] as const) {
  test(`${what} is 503, and memory stays bounded`, async () => {
    await using pypi = await startFakePypi({ files: [good, makeWheel({ name: 'huge' })] });
    pypi.fault({ project: 'huge', what: 'page' }, { kind: fault.kind, bytes: fault.bytes });
    if ('chunked' in fault) pypi.fault({ project: 'huge', what: 'page' }, { kind: 'chunked' });
    await using node = await startNode({ upstream: pypi.url });
    await download(`${node.index}good/`, { headers: jsonPage });
    const before = (await node.status()).process.rssBytes;
    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => download(`${node.index}huge/`, { headers: jsonPage })),
    );
    for (const answer of answers) {
      assert.equal(answer.status, 503);
      assert.match(String(answer.headers['retry-after']), /^\d+$/);
    }
    await assertUnharmed(node, before, 150 * MB);
  });
}

function pageOf(files: readonly object[]): string {
  return JSON.stringify({ meta: { 'api-version': '1.1' }, name: 'odd', versions: ['1.0'], files });
}
const entry = (filename: string, url: string, sha256 = 'a'.repeat(64)): object => ({
  filename,
  url,
  hashes: { sha256 },
});

test('filenames twice in a page, or that break out of a path, never get into a page of ours', async () => {
  await using pypi = await startFakePypi({ files: [good] });
  const host = pypi.files.url;
  const traps = ['../evil-1.0.whl', '..', 'a/b-1.0.whl', 'a\\b-1.0.whl', 'nul\0-1.0.whl', ''];
  for (const [i, filename] of traps.entries()) {
    const body = pageOf([entry(filename, `${host}/x`), entry('odd-1.0.tar.gz', `${host}/y`)]);
    pypi.fault({ project: `odd-${i}` }, { kind: 'body', body: body.replace('"odd"', `"odd-${i}"`) });
    pypi.addFile(makeWheel({ name: `odd-${i}` }));
  }
  const twice = pageOf([
    entry('odd-1.0.tar.gz', `${host}/x`),
    entry('odd-1.0.tar.gz', `${host}/y`, 'b'.repeat(64)),
  ]);
  pypi.addFile(makeWheel({ name: 'odd' }));
  pypi.fault({ project: 'odd' }, { kind: 'body', body: twice });
  await using node = await startNode({ upstream: pypi.url });
  await Promise.all(
    ['odd', ...traps.map((_, i) => `odd-${i}`)].map(async (name, i) => {
      const answer = await download(`${node.index}${name}/`, { headers: jsonPage });
      assert.ok(answer.status === 200 || answer.status === 503, `${name}: ${answer.status}`);
      if (answer.status !== 200) return;
      const { files } = JSON.parse(answer.body.toString()) as { files: { filename: string; url: string }[] };
      const names = files.map((file) => file.filename);
      assert.equal(new Set(names).size, names.length, name);
      assert.ok(!names.includes(traps[i - 1] ?? '../'), `${name}: ${JSON.stringify(names)}`);
      for (const { url } of files) assert.match(url, /^\.\.\/\.\.\/files\/[0-9a-f]{64}\/[\w.+!-]+$/);
    }),
  );
  await checkFolder(node.ready.dataDir);
});

for (const [what, fault] of [
  ['longer than announced by its page', { kind: 'longer', bytes: 1000 }],
  ['shorter than announced by its page', { kind: 'truncate', bytes: 1000 }],
  ['shorter than its Content-Length', { kind: 'length', value: 40_000 }],
] as const) {
  test(`a file ${what} never arrives as a whole`, async () => {
    const file = makeWheel({ name: 'length', extraBytes: 30_000 });
    await using pypi = await startFakePypi({ files: [file, good] });
    pypi.fault({ project: 'length', what: 'file' }, fault);
    await using node = await startNode({ upstream: pypi.url });
    const answer = await download(fileUrl(node.ready.gateway, file)).catch(() => undefined);
    const whole = answer?.status === 200 && answer.complete;
    assert.ok(!whole || answer.sha256 === file.sha256, `${answer?.status} ${answer?.body.length}`);
    const { blobs } = await checkFolder(node.ready.dataDir);
    assert.deepEqual(blobs, whole ? [file.sha256] : []);
    assert.equal((await download(fileUrl(node.ready.gateway, good))).sha256, good.sha256);
  });
}

test('a page whose hash no file has: an error each time, nothing stored, nothing installed', async () => {
  const file = makeWheel({ name: 'nohash', extraBytes: 200_000, sha256: 'c'.repeat(64) });
  await using pypi = await startFakePypi({ files: [file] });
  await using node = await startNode({ upstream: pypi.url });
  const answer = await download(fileUrl(node.ready.gateway, file)).catch(() => undefined);
  assert.ok(answer === undefined || answer.status === 503 || !answer.complete);
  const { blobs } = await checkFolder(node.ready.dataDir);
  assert.deepEqual(blobs, []);
});
