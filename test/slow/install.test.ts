/**
 * Every client with PyPI's own pages: cold, with the upstream gone, after a restart without it; caches empty each time, locks made
 * anew each time. `test/e2e/install.test.ts` is the short one.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { fixtureProjects } from '../support/fake-pypi/fixture-projects.ts';
import { type NodeProcess, startNode } from '../support/node-process.ts';
import { clientNames, clientsMissing, createClientProject } from '../support/python-clients.ts';

const flask = ['flask', 'click', 'blinker', 'itsdangerous', 'jinja2', 'markupsafe', 'werkzeug'];

async function installAll({ index }: NodeProcess, when: string): Promise<void> {
  for (const client of clientNames) {
    await using project = await createClientProject();
    if (client === 'pip') {
      // prettier-ignore
      const locked = await project.run('pip', 'lock', '--no-cache-dir', '-i', index, '-o', 'pylock.toml', 'flask');
      assert.equal(locked.exit, 0, `pip lock ${when}: ${locked.output}`);
      const lock = await readFile(join(project.folder, 'pylock.toml'), 'utf8');
      for (const name of flask) assert.ok(lock.includes(`name = "${name}"`), `${name} in pip's lock ${when}`);
    }
    const run = await project.install(client, index);
    assert.equal(run.exit, 0, `${client} ${when}: ${run.output}`);
    // Of today, not of 2013: what Poetry locks where a page of a dependency is said not to exist.
    const imported = await project.run(
      'python',
      '-c',
      'import flask, click, markupsafe, importlib.metadata as m; print("flask", m.version("flask"))',
    );
    assert.match(imported.output, /^flask [3-9]\./m, `${client} ${when}`);
  }
}

test(
  'each of the five clients locks and installs: cold, without the upstream, and after a restart without it',
  { skip: clientsMissing() },
  async () => {
    await using folder = await temporaryFolder();
    await using pypi = await startFakePypi({ files: fixtureProjects({ names: flask }) });
    const dataDir = join(folder.path, 'data');
    const args = ['--no-mdns'];
    {
      await using node = await startNode({ upstream: pypi.url, dataDir, args });
      await installAll(node, 'cold');
      await pypi.down();
      await installAll(node, 'with the upstream down');
      assert.equal(await node.stop(), 0);
    }
    await using node = await startNode({ upstream: pypi.url, dataDir, args });
    await installAll(node, 'after a restart');
    const { fetched, served } = await node.status();
    assert.deepEqual(fetched.blobs, { peer: 0, upstream: 0 });
    assert.ok(served.bytes.disk > 0);
  },
);
