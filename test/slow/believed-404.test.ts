/** A project that goes from the upstream: its kept page is served until a 404 was read again at least a minute later, then it is gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { startNode } from '../support/node-process.ts';

test('a removed project stays for a minute after its first 404 and is gone, page and file, within two', async (t) => {
  const file = makeWheel({ name: 'removed', extraBytes: 50_000 });
  await using pypi = await startFakePypi({ files: [file] });
  await using node = await startNode({ upstream: pypi.url, args: ['--no-mdns', '--page-ttl', '10s'] });
  const page = `${node.index}removed/`;
  assert.equal((await download(page, { headers: jsonPage })).status, 200);
  assert.equal((await download(fileUrl(node.ready.gateway, file))).sha256, file.sha256);
  pypi.removeProject('removed');
  const firstAbsence = (): number | undefined =>
    pypi.requestsFor('/simple/removed/').find(({ status }) => status === 404)?.at;
  const end = performance.now() + 130_000;
  for (;;) {
    const { status } = await download(page, { headers: jsonPage });
    const first = firstAbsence();
    const since = first === undefined ? 0 : (Date.now() - first) / 1000;
    if (status === 404) {
      t.diagnostic(`gone ${since.toFixed(1)} s after the first 404`);
      assert.ok(since >= 60, `after ${since} s`);
      break;
    }
    assert.equal(status, 200);
    assert.ok(performance.now() < end, 'still there after 130 s');
    await delay(1000);
  }
  assert.ok(pypi.requestsFor('/simple/removed/').filter(({ status }) => status === 404).length >= 2);
  assert.equal((await download(fileUrl(node.ready.gateway, file))).status, 404);
});
