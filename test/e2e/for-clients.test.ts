/** The lines and variables that lead clients to a node: what `fondue up` prints, `fondue env`, `fondue run`. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { fondue, startNode } from '../support/node-process.ts';
import { clientProgram, clientsMissing } from '../support/python-clients.ts';

const launcher = new URL('../../bin/fondue.js', import.meta.url).pathname;
const wheel = makeWheel({ name: 'raclette', extraBytes: 50_000 });

test('the lines that a person copies from fondue up install, and are there with no upstream', async () => {
  await using folder = await temporaryFolder();
  // prettier-ignore
  const args = [launcher, 'up', '--data-dir', join(folder.path, 'data'), '--gateway', '127.0.0.1:0', '--listen', 'none', '--no-mdns',
    '--upstream', 'http://127.0.0.1:9/simple/'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  try {
    await eventually('the lines', () => text.includes('Files in'));
    const index = /pip install --index-url (http:\/\/127\.0\.0\.1:\d+\/simple\/) PACKAGE/.exec(text)?.[1];
    assert.ok(index !== undefined, text);
    assert.ok(text.includes(`uv pip install --default-index ${index} PACKAGE`), text);
    assert.ok(text.includes(`poetry source add --priority=primary fondue ${index}`), text);
    assert.ok(text.includes(`pdm config pypi.url ${index}`), text);
    // oxlint-disable-next-line no-control-regex -- nothing to copy but text
    assert.doesNotMatch(text, /\u001b/);
    assert.equal((await fetch(new URL('../-/health', index))).status, 200);
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  assert.equal(child.exitCode, 0);
});

test('env prints what a shell can eval, and run gives a child the same variables and takes its exit code', async () => {
  await using pypi = await startFakePypi({ files: [wheel] });
  await using node = await startNode({ upstream: pypi.url, args: ['--no-mdns'] });
  const at = ['--data-dir', node.ready.dataDir];
  const lines = await fondue(['env', ...at]);
  assert.deepEqual([lines.exit, lines.stderr], [0, '']);
  const names = ['PIP_INDEX_URL', 'UV_DEFAULT_INDEX', 'PDM_PYPI_URL'];
  const show = names.map((name) => `"$${name}"`).join(' ');
  const expected = names.map(() => node.index).join(' ');
  const evaluated = execFileSync('sh', ['-c', `${lines.stdout}\necho ${show}`], { encoding: 'utf8' });
  assert.equal(evaluated.trim(), expected);
  const child = await fondue(['run', ...at, '--', 'sh', '-c', `echo ${show}; exit 7`]);
  assert.deepEqual([child.exit, child.stdout.trim()], [7, expected]);
  const killed = await fondue(['run', ...at, '--', 'sh', '-c', 'kill -TERM $$']);
  assert.equal(killed.exit, 128 + 15);
  const wrong = await fondue(['env', '--shell', 'tcl', ...at]);
  assert.equal(wrong.exit, 2);
  assert.match(wrong.stderr, /"tcl" is not known[^]*sh, fish, powershell, cmd/);
});

test(
  'fondue run -- pip install, and uv, take the package from the node, past a proxy that is set',
  { skip: clientsMissing() },
  async () => {
    await using folder = await temporaryFolder();
    await using pypi = await startFakePypi({ files: [wheel] });
    await using node = await startNode({ upstream: pypi.url, args: ['--no-mdns'] });
    const at = ['--data-dir', node.ready.dataDir];
    // Nothing listens there: who asks the proxy gets nothing.
    const proxy = {
      HTTP_PROXY: 'http://127.0.0.1:9',
      NO_PROXY: 'intranet.test, .corp.test',
      UV_HTTP_RETRIES: '0',
    };
    for (const client of ['pip', 'uv'] as const) {
      const install =
        client === 'pip' ? ['install', '--no-cache-dir', '--retries', '0'] : ['pip', 'install', '--no-cache'];
      const target = join(folder.path, client);
      const command = [await clientProgram(client), ...install, '--target', target, 'raclette'];
      const run = await fondue(['run', ...at, '--', ...command], proxy);
      assert.equal(run.exit, 0, `${client}: ${run.stdout}${run.stderr}`);
      await access(join(target, 'raclette/__init__.py'));
    }
    const { stdout } = await fondue(['env', '--json', ...at], proxy);
    const { NO_PROXY, no_proxy } = JSON.parse(stdout) as Record<string, string>;
    assert.deepEqual([NO_PROXY, no_proxy], Array(2).fill('intranet.test,.corp.test,127.0.0.1'));
    assert.ok(pypi.requestsFor('/simple/raclette/').length > 0);
  },
);
