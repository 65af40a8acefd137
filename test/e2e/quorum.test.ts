/**
 * The signed index as people run it: three publishers with keys of their own, and a node that believes two of three of them
 * and never asks an upstream. All are separate processes; nothing of what is judged is imported from `src/`.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { fixtureProjects } from '../support/fake-pypi/fixture-projects.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { fondue, startNode } from '../support/node-process.ts';
import { startPublisher, type PublisherProcess } from '../support/publisher-process.ts';
import { clientsMissing, createClientProject } from '../support/python-clients.ts';

const flask = ['flask', 'click', 'blinker', 'itsdangerous', 'jinja2', 'markupsafe', 'werkzeug'];
const interval = 5;

async function command(...args: string[]): Promise<string> {
  const run = await fondue(args);
  assert.equal(run.exit, 0, `fondue ${args.join(' ')}: ${run.stdout}${run.stderr}`);
  return run.stdout.trim();
}

describe('three publishers and a follower of two of three', { skip: clientsMissing() }, () => {
  it('lets pip and uv install from an empty folder with the upstream down, and follows what changes', async (t) => {
    await using folder = await temporaryFolder();
    await using pypi = await startFakePypi({ files: fixtureProjects({ names: flask }) });
    const list = join(folder.path, 'projects.txt');
    await writeFile(list, `${[...flask, 'newcomer'].join('\n')}\n`);
    const policy = join(folder.path, 'policy');
    await using stack = new AsyncDisposableStack();
    const publishers: PublisherProcess[] = [];
    const addresses: string[] = [];
    const names = ['one', 'two', 'three'];
    const keyOf = (name: string): string => join(folder.path, `${name}.key`);
    for (const name of names) {
      const verifierKey = await command('key', 'new', '--name', `${name}.example`, '--out', keyOf(name));
      await command('trust', 'add', verifierKey, '--policy', policy);
    }
    await command('trust', 'threshold', '2', '--policy', policy);
    for (const name of names) {
      const key = keyOf(name);
      const publisher = stack.use(
        startPublisher({
          upstream: pypi.url,
          dataDir: join(folder.path, name),
          key,
          args: [
            '--policy',
            policy,
            '--projects',
            list,
            '--interval',
            `${interval}s`,
            ...addresses.flatMap((at) => ['--bootstrap', at]),
          ],
        }),
      );
      publishers.push(publisher);
      const ready = await publisher.event('ready', ({ event }) => event === 'ready');
      addresses.push(...(ready.multiaddrs ?? []).slice(0, 1));
    }
    for (const publisher of publishers)
      await publisher.event('a complete record', ({ complete }) => complete === true, 60_000);

    // Somebody installs through the first publisher, so that the files are held by a peer.
    const [first] = publishers;
    const gateway = first?.events.find(({ event }) => event === 'ready')?.gateway ?? '';
    {
      await using project = await createClientProject();
      const run = await project.install('pip', `${gateway}/simple/`);
      assert.equal(run.exit, 0, run.output);
    }
    await pypi.down();
    const began = performance.now();
    await using node = await startNode({
      upstream: pypi.url,
      args: ['--mode', 'offline', '--policy', policy, ...addresses.flatMap((at) => ['--bootstrap', at])],
    });
    for (const client of ['pip', 'uv'] as const) {
      await using project = await createClientProject();
      const run = await project.install(client, node.index);
      assert.equal(run.exit, 0, `${client}: ${run.output}`);
      const imported = await project.run('python', '-c', 'import flask; print("imported", flask.__name__)');
      assert.match(imported.output, /imported flask/);
    }
    t.diagnostic(`both had installed ${((performance.now() - began) / 1000).toFixed(1)} s after the start`);
    const status = await node.status();
    assert.equal(status.fetched.bytes.upstream, 0);
    const page = await fetch(`${node.index}flask/`);
    assert.equal(page.status, 200);
    assert.ok(Number(page.headers.get('fondue-index-age')) >= 0);
    assert.equal((await fetch(`${node.index}newcomer/`)).status, 404, 'its absence is proven');
    assert.equal((await fetch(`${node.index}of-nobodys-scope/`)).status, 503, 'of it nobody said anything');

    const everything = await fetch(node.index, {
      headers: { accept: 'application/vnd.pypi.simple.v1+json' },
    });
    const { projects } = (await everything.json()) as { projects: { name: string }[] };
    assert.deepEqual(projects.map(({ name }) => name).sort(), [...flask].sort());
    const lastModified = await fetch(`${node.ready.gateway}/last-modified`);
    assert.ok(Date.parse((await lastModified.text()).trim()) <= Date.now());
    const proof = join(folder.path, 'flask.proof');
    await command('index', 'prove', 'flask', '--out', proof, '--data-dir', node.ready.dataDir);
    assert.match(await command('index', 'verify', proof, '--policy', policy), /flask/);
    const altered = (await readFile(proof, 'utf8')).replace(/"bin":\s*"(.)/g, (all, first: string) =>
      all.slice(0, -1).concat(first === 'A' ? 'B' : 'A'),
    );
    await writeFile(proof, altered);
    assert.notEqual((await fondue(['index', 'verify', proof, '--policy', policy])).exit, 0);

    // What changes upstream arrives within two intervals and ten seconds.
    await pypi.up();
    const changed = performance.now();
    pypi.addFile(makeWheel({ name: 'newcomer' }));
    await eventually(
      'the new project',
      async () => ((await fetch(`${node.index}newcomer/`)).status === 200 ? true : undefined),
      (2 * interval + 10) * 1000,
    );
    t.diagnostic(`a new project arrived after ${((performance.now() - changed) / 1000).toFixed(1)} s`);
    pypi.removeProject('newcomer');
    const removed = performance.now();
    await eventually(
      'its removal',
      async () => ((await fetch(`${node.index}newcomer/`)).status === 404 ? true : undefined),
      (2 * interval + 10) * 1000,
    );
    t.diagnostic(`its removal arrived after ${((performance.now() - removed) / 1000).toFixed(1)} s`);
  });
});
