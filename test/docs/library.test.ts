/** The example of docs/library.md runs as it stands, in a process of its own. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { runProgram } from '../support/python-clients.ts';

test('the example of docs/library.md fetches a file through its own node', async (t) => {
  const text = await readFile(new URL('../../docs/library.md', import.meta.url), 'utf8');
  const [, example = ''] = /```js\n(.*?)```/s.exec(text) ?? [];
  const library = new URL('../../src/index.ts', import.meta.url).href;
  assert.match(example, /from 'fondue-mirror'/);
  const folder = await mkdtemp(join(tmpdir(), 'fondue-library-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'example.mjs'), example.replace("'fondue-mirror'", JSON.stringify(library)));
  const wheel = makeWheel({ name: 'raclette', version: '1.0' });
  await using pypi = await startFakePypi({ files: [wheel] });
  const args = [join(folder, 'example.mjs'), join(folder, 'data'), pypi.url, 'raclette'];
  const run = await runProgram(process.execPath, args, folder, { PATH: process.env['PATH'] ?? '' });
  assert.equal(run.exit, 0, run.output);
  assert.match(run.output, /raclette has 1 files, as of \d+ s ago/);
  assert.match(run.output, new RegExp(`kept ${wheel.sha256}: ${wheel.size} bytes from upstream`));
  assert.match(run.output, new RegExp(`fetched ${wheel.size} bytes, 0 failed`));
  assert.match(run.output, /raclette-1\.0-py3-none-any\.whl begins with PK/);
  assert.match(run.output, /from peers: 0 bytes/);
});
