/** Ready and end: one ready line and nothing else on standard output; SIGINT and SIGTERM end cleanly within 5 s, whatever hangs. */
import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { checkFolder } from '../support/folder-check.ts';
import { startNode } from '../support/node-process.ts';

const file = makeWheel({ name: 'slow', extraBytes: 20_000_000 });

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} ends with 0, and the ready line was all of standard output`, async () => {
    await using pypi = await startFakePypi({ files: [file] });
    await using node = await startNode({ upstream: pypi.url });
    assert.equal((await download(fileUrl(node.ready.gateway, file))).sha256, file.sha256);
    assert.equal(await node.stop(signal), 0);
    assert.deepEqual(node.stdout().trim().split('\n').length, 1, node.stdout());
    assert.deepEqual(JSON.parse(node.stdout()), node.ready);
    await assert.rejects(access(join(node.ready.dataDir, 'node.json')));
    assert.deepEqual((await checkFolder(node.ready.dataDir)).blobs, [file.sha256]);
  });

  test(`${signal} while downloads hang and clients keep their connections: 0 within 5 s`, async () => {
    await using pypi = await startFakePypi({ files: [file] });
    pypi.fault({ what: 'file' }, { kind: 'stall', seconds: 120, after: 5_000_000 });
    pypi.fault({ project: 'never' }, { kind: 'hang' });
    await using node = await startNode({ upstream: pypi.url });
    let got = 0;
    const onBytes = (bytes: number): void => void (got = bytes);
    const answers = [
      download(fileUrl(node.ready.gateway, file), { onBytes }),
      download(`${node.index}never/`, { headers: jsonPage }),
    ].map((answer) => answer.catch(() => undefined));
    await eventually('both hang', () => got > 4_000_000 && pypi.active.now === 2);
    const started = performance.now();
    assert.equal(await node.stop(signal), 0);
    const ms = performance.now() - started;
    assert.ok(ms < 5000, `${ms} ms`);
    const [cut, page] = await Promise.all(answers);
    assert.notEqual(cut?.complete, true);
    assert.notEqual(page?.status, 404);
    const { blobs, partials } = await checkFolder(node.ready.dataDir);
    assert.deepEqual([blobs, partials], [[], [file.sha256]]);
  });
}

test('a second signal ends at once with 130', async () => {
  await using pypi = await startFakePypi({ files: [file] });
  pypi.fault({ what: 'file' }, { kind: 'stall', seconds: 120, after: 5_000_000 });
  await using node = await startNode({ upstream: pypi.url });
  let got = 0;
  const answer = download(fileUrl(node.ready.gateway, file), { onBytes: (bytes) => void (got = bytes) });
  await eventually('it hangs', () => got > 4_000_000);
  const exited = node.stop('SIGINT');
  node.child.kill('SIGTERM');
  const code = await exited;
  await answer.catch(() => undefined);
  assert.equal(code, 130);
});

test('it is ready within 3 s when the upstream hangs, refuses or does not exist', async () => {
  await using pypi = await startFakePypi();
  pypi.fault({}, { kind: 'hang' });
  for (const upstream of [pypi.url, 'http://127.0.0.1:1/simple/', 'https://no-such-host.invalid/simple/']) {
    // The quickest of some starts: the other tests run beside this one, and a wait for the upstream would slow them all.
    const readyAfter: number[] = [];
    while (readyAfter.length < 4 && !readyAfter.some((ms) => ms < 3000)) {
      await using node = await startNode({ upstream });
      readyAfter.push(node.readyAfter);
      assert.equal(await node.stop(), 0);
    }
    assert.ok(Math.min(...readyAfter) < 3000, `${upstream}: ${readyAfter.join(', ')} ms`);
  }
});
