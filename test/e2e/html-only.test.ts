/** An upstream that answers in HTML only, as many company mirrors do, published and followed. Nothing is imported from `src/`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { startNode } from '../support/node-process.ts';
import { startPublisherGroup } from '../support/publisher-group.ts';

const interval = 2;

test('followers of publishers whose upstream has HTML only serve its pages, files and changes', async () => {
  await using folder = await temporaryFolder();
  const first = makeWheel({ name: 'example' });
  await using pypi = await startFakePypi({ files: [first], format: 'html' });
  await using group = await startPublisherGroup({
    folder: folder.path,
    upstream: pypi.url,
    names: ['one', 'two', 'three'],
    threshold: 2,
    projects: ['example', 'newcomer'],
    interval,
  });
  const start = (mode: string) =>
    startNode({
      upstream: pypi.url,
      args: ['--no-mdns', '--mode', mode, '--policy', group.policy, ...group.bootstrap()],
    });
  for (const mode of ['offline', 'quorum']) {
    await using node = await start(mode);
    const { gateway } = node.ready;
    const page = await eventually(`a page in mode ${mode}`, async () => {
      const answer = await download(`${gateway}/simple/example/`, { headers: jsonPage });
      return answer.status === 200 ? answer : undefined;
    });
    const { files } = JSON.parse(page.body.toString()) as { files: { filename: string; hashes: object }[] };
    assert.deepEqual(
      files.map(({ filename, hashes }) => ({ filename, hashes })),
      [{ filename: first.filename, hashes: { sha256: first.sha256 } }],
    );
    const html = await download(`${gateway}/simple/example/`, { headers: { accept: 'text/html' } });
    assert.match(html.body.toString(), new RegExp(`${first.filename}</a>`));
    if (mode === 'offline') continue;
    const file = await download(fileUrl(gateway, first));
    assert.equal(file.status, 200);
    pypi.addFile(makeWheel({ name: 'newcomer' }));
    await eventually(
      'the new project',
      async () => (await download(`${gateway}/simple/newcomer/`)).status === 200,
      (2 * interval + 10) * 1000,
    );
  }
});
