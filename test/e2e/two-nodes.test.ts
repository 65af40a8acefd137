/** A node that can read pages but no files gets all of them from its neighbour; a liar among the neighbours is caught. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { fixtureProjects } from '../support/fake-pypi/fixture-projects.ts';
import { startNode } from '../support/node-process.ts';
import { clientsMissing, createClientProject } from '../support/python-clients.ts';

const flask = ['flask', 'click', 'blinker', 'itsdangerous', 'jinja2', 'markupsafe', 'werkzeug'];

test(
  'the second node installs everything from the first when the file host is down',
  { skip: clientsMissing() },
  async () => {
    await using pypi = await startFakePypi({ files: fixtureProjects({ names: flask }) });
    await using first = await startNode({ upstream: pypi.url });
    await using project = await createClientProject();
    const cold = await project.install('pip', first.index);
    assert.equal(cold.exit, 0, cold.output);

    await pypi.files.down();
    const [address = ''] = first.ready.multiaddrs;
    await using second = await startNode({ upstream: pypi.url, args: ['--bootstrap', address] });
    for (const client of ['pip', 'uv', 'poetry', 'pdm'] as const) {
      await project.forget();
      const run = await project.install(client, second.index);
      assert.equal(run.exit, 0, `${client}: ${run.output}\n${second.stderr()}`);
    }
    const status = await second.status();
    assert.equal(status.fetched.blobs.upstream, 0);
    assert.ok(status.fetched.blobs.peer >= flask.length, JSON.stringify(status.fetched));
    assert.ok(status.fetched.bytes.peer > 500_000, JSON.stringify(status.fetched));
    assert.ok(status.served.bytes.disk > 0, JSON.stringify(status.served));
  },
);
