/** PEP 381's signature as docs/operating.md shows it: what is downloaded is checked by openssl alone. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { download } from '../support/download.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { startNode } from '../support/node-process.ts';

const openssl = (cwd: string, ...args: string[]): number | null =>
  spawnSync('openssl', args, { cwd, stdio: 'ignore' }).status;

test(
  'the commands of the documentation check a page against its signature, and the key outlives the process',
  { skip: openssl('/', 'version') === 0 ? false : 'no openssl here' },
  async () => {
    const text = await readFile(new URL('../../docs/operating.md', import.meta.url), 'utf8');
    const [, command = ''] = /^openssl (pkeyutl .*)$/m.exec(text) ?? [];
    assert.notEqual(command, '', 'the page shows how');
    await using folder = await temporaryFolder();
    await using pypi = await startFakePypi({ files: [makeWheel({ name: 'flask' })] });
    const dataDir = join(folder.path, 'data');
    const keys: string[] = [];
    for (const _ of [1, 2]) {
      await using node = await startNode({
        upstream: pypi.url,
        dataDir,
        args: ['--no-mdns'],
      });
      const fetched = { key: 'serverkey', page: 'simple/flask/', sig: 'serversig/flask' };
      for (const [name, path] of Object.entries(fetched)) {
        const { status, body } = await download(`${node.ready.gateway}/${path}`);
        assert.equal(status, 200, path);
        await writeFile(join(folder.path, name), body);
      }
      keys.push(await readFile(join(folder.path, 'key'), 'utf8'));
      assert.equal(openssl(folder.path, ...command.split(' ')), 0, command);
    }
    assert.equal(keys[0], keys[1]);
    const page = await readFile(join(folder.path, 'page'));
    page[page.length >> 1]! ^= 1;
    await writeFile(join(folder.path, 'page'), page);
    assert.notEqual(openssl(folder.path, ...command.split(' ')), 0, 'an altered page');
  },
);
