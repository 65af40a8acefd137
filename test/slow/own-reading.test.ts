/** Of two publishers that must agree one is gone: in `--mode quorum` a node's own reading stands in for it, in `--mode offline` nothing does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { type NodeProcess, startNode } from '../support/node-process.ts';
import { startPublisherGroup } from '../support/publisher-group.ts';

async function look(
  node: NodeProcess,
  project: string,
): Promise<{ status: number; hashes: (string | undefined)[] }> {
  const { status, body } = await download(`${node.index}${project}/`, { headers: jsonPage });
  if (status !== 200) return { status, hashes: [] };
  const { files } = JSON.parse(body.toString()) as { files: { hashes: { sha256?: string } }[] };
  return { status, hashes: files.map(({ hashes }) => hashes.sha256) };
}

test('what one publisher and this node saw is served; one publisher alone, and this node alone, are not enough', async () => {
  await using folder = await temporaryFolder();
  const [old, changed, added] = [
    makeWheel({ name: 'changed', version: '1.0' }),
    makeWheel({ name: 'changed', version: '2.0' }),
    makeWheel({ name: 'added' }),
  ];
  await using pypi = await startFakePypi({ files: [old] });
  await using group = await startPublisherGroup({
    folder: folder.path,
    upstream: pypi.url,
    names: ['one', 'two'],
    threshold: 2,
    projects: ['changed', 'added'],
    interval: 2,
  });
  // A page is read by the node itself when it is older than ten minutes: by this clock, eleven ahead, all are.
  const preload = new URL('../support/clock-ahead-child.ts', import.meta.url).href;
  const env = { NODE_OPTIONS: `--import ${preload}`, CLOCK_AHEAD_MS: String(11 * 60_000) };
  const start = (mode: string): Promise<NodeProcess> =>
    startNode({
      upstream: pypi.url,
      env,
      args: ['--no-mdns', '--mode', mode, '--policy', group.policy, ...group.bootstrap()],
    });
  await using quorum = await start('quorum');
  await using offline = await start('offline');
  for (const node of [quorum, offline])
    await eventually('both agree', async () => (await look(node, 'changed')).hashes.includes(old.sha256));

  await group.member('two').stop();
  pypi.addFile(changed);
  pypi.addFile(added);
  for (const file of [changed, added]) {
    await eventually(
      `${file.filename} in mode quorum`,
      async () => (await look(quorum, file.project)).hashes.includes(file.sha256),
      60_000,
    );
    const answer = await download(fileUrl(quorum.ready.gateway, file));
    assert.deepEqual([answer.status, answer.sha256], [200, file.sha256]);
  }
  assert.deepEqual((await look(offline, 'changed')).hashes, [old.sha256], 'what both had signed');
  const { status } = await look(offline, 'added');
  assert.ok(status === 404 || status === 503, `one publisher alone: ${status}`);

  // This node alone: nobody signs what it reads now.
  await group.member('one').stop();
  const newest = makeWheel({ name: 'changed', version: '3.0' });
  pypi.addFile(newest);
  for (let i = 0; i < 3; i++)
    assert.ok(!(await look(quorum, 'changed')).hashes.includes(newest.sha256), 'its own reading was enough');
});
