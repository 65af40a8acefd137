/** Real clients through a real node over a fake PyPI: cold, with the upstream gone, and after a restart without it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { fixtureProjects } from '../support/fake-pypi/fixture-projects.ts';
import { startNode } from '../support/node-process.ts';
import { clientNames, clientsMissing, createClientProject } from '../support/python-clients.ts';

const flask = ['flask', 'click', 'blinker', 'itsdangerous', 'jinja2', 'markupsafe', 'werkzeug'];

for (const coreMetadata of ['hash', 'none'] as const) {
  const pages =
    coreMetadata === 'hash'
      ? 'pages like PyPI (API 1.4)'
      : "a company mirror's pages (API 1.1, no validators)";
  test(
    `every client installs through the node from ${pages}, then without the upstream, then after a restart`,
    { skip: clientsMissing() },
    async (t) => {
      await using pypi = await startFakePypi({
        files: fixtureProjects({ names: flask }),
        coreMetadata,
        apiVersion: coreMetadata === 'hash' ? '1.4' : '1.1',
        etag: coreMetadata === 'hash',
        gzip: coreMetadata === 'hash',
        serial: coreMetadata === 'hash',
      });
      const dataDir = await mkdtemp(join(tmpdir(), 'fondue-e2e-'));
      t.after(() => rm(dataDir, { recursive: true, force: true }));
      // What is kept is the same in both: once each client has read PyPI's own pages, two are enough.
      const later =
        coreMetadata === 'hash' ? clientNames.filter((name) => /^(pip|uv)$/.test(name)) : clientNames;
      const installAll = async (index: string, when: string, clients = later): Promise<void> => {
        for (const client of clients) {
          await using project = await createClientProject();
          const run = await project.install(client, index);
          assert.equal(run.exit, 0, `${client} ${when}: ${run.output}`);
          const imported = await project.run(
            'python',
            '-c',
            'import flask, click, markupsafe; print("imported", flask.__name__)',
          );
          assert.match(imported.output, /imported flask/, `${client} ${when}`);
        }
      };
      {
        await using node = await startNode({ upstream: pypi.url, dataDir });
        await installAll(node.index, 'cold', clientNames);
        await pypi.down();
        await installAll(node.index, 'with the upstream down');
        assert.equal(await node.stop(), 0);
      }
      {
        await using node = await startNode({ upstream: pypi.url, dataDir });
        await installAll(node.index, 'after a restart without an upstream');
        const status = await node.status();
        assert.deepEqual(status.fetched.blobs, { peer: 0, upstream: 0 });
      }
    },
  );
}
