/** Lock files that carry the gateway's URLs install through another node on its address that has seen no page of theirs. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { type FakePypi, startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { fixtureProjects } from '../support/fake-pypi/fixture-projects.ts';
import { type NodeProcess, startNode } from '../support/node-process.ts';
import { type ClientProject, clientsMissing, createClientProject } from '../support/python-clients.ts';

const names = ['flask', 'click', 'blinker', 'itsdangerous', 'jinja2', 'markupsafe', 'werkzeug'];

interface Locking {
  readonly what: string;
  lock(project: ClientProject, index: string): Promise<void>;
  install(project: ClientProject): Promise<string>;
}

async function steps(
  project: ClientProject,
  client: 'uv' | 'pip' | 'poetry',
  ...runs: string[][]
): Promise<string> {
  let output = '';
  for (const args of runs) {
    const run = await project.run(client, ...args);
    output += run.output;
    assert.equal(run.exit, 0, `${client} ${args.join(' ')}: ${run.output}`);
  }
  return output;
}

const lockings: readonly Locking[] = [
  {
    what: 'a uv.lock',
    async lock(project, index) {
      const run = await project.install('uv', index);
      assert.equal(run.exit, 0, run.output);
    },
    install: (project) => steps(project, 'uv', ['sync', '--frozen']),
  },
  {
    what: "a pylock.toml of uv's",
    async lock(project, index) {
      const run = await project.install('uv', index);
      assert.equal(run.exit, 0, run.output);
      await steps(project, 'uv', ['export', '--format', 'pylock.toml', '-o', 'pylock.toml']);
    },
    install: (project) =>
      steps(project, 'uv', ['pip', 'sync', '--python', '.venv/bin/python', 'pylock.toml']),
  },
  {
    what: "a pylock.toml of pip's",
    async lock(project, index) {
      await steps(project, 'pip', ['lock', '--no-cache-dir', '-i', index, '-o', 'pylock.toml', 'flask']);
    },
    install: (project) => {
      const python = join(project.folder, '.venv/bin/python');
      return steps(project, 'pip', ['--python', python, 'install', '--no-cache-dir', '-r', 'pylock.toml']);
    },
  },
  {
    what: 'a Poetry lock',
    async lock(project, index) {
      const run = await project.install('poetry', index);
      assert.equal(run.exit, 0, run.output);
    },
    install: (project) => steps(project, 'poetry', ['install']),
  },
];

async function assertInstalled(project: ClientProject, what: string): Promise<void> {
  const imported = await project.run(
    'python',
    '-c',
    'import flask, markupsafe; print("imported", flask.__name__)',
  );
  assert.match(imported.output, /imported flask/, what);
}

suite('lock files', { skip: clientsMissing() }, () => {
  const locked: (Locking & { project: ClientProject })[] = [];
  let pypi: FakePypi;
  let holder: NodeProcess;
  let address: string;

  /** Each lock is installed through a node of its own, which has seen neither page nor file and has the old one's address. */
  async function installAll(
    args: readonly string[],
    check: (node: NodeProcess) => Promise<void>,
    left = locked,
  ): Promise<void> {
    for (const { what, project, install } of left) {
      await project.forget();
      await using node = await startNode({ upstream: pypi.url, args: ['--gateway', address, ...args] });
      if (args.length > 0) {
        await eventually('connected', async () => (await node.status()).network.connections === 1);
      }
      const output = await install(project).catch((error: unknown) => Promise.reject(withLog(error, node)));
      await assertInstalled(project, `${what}: ${output}`);
      await check(node);
    }
  }

  async function allFromPeers(node: NodeProcess): Promise<void> {
    const { fetched } = await eventually('the files are counted', async () => {
      const status = await node.status();
      return status.fetched.blobs.peer >= names.length && status;
    });
    assert.equal(fetched.blobs.upstream, 0);
  }

  before(async () => {
    pypi = await startFakePypi({ files: fixtureProjects({ names }) });
    holder = await startNode({ upstream: pypi.url });
    await using first = await startNode({ upstream: pypi.url });
    address = new URL(first.ready.gateway).host;
    await Promise.all(
      lockings.map(async (locking) => {
        const project = await createClientProject();
        locked.push({ ...locking, project });
        await locking.lock(project, first.index);
      }),
    );
    await using project = await createClientProject();
    const run = await project.install('uv', holder.index);
    assert.equal(run.exit, 0, run.output);
    assert.equal(await first.stop(), 0);
  });
  after(async () => {
    for (const { project } of locked) await project[Symbol.asyncDispose]();
    await holder?.[Symbol.asyncDispose]();
    await pypi?.close();
  });

  test('made through one node they install through an empty one on its address', async () => {
    await installAll([], async () => {});
  });

  test('they install through an empty node when only a peer has the files', async () => {
    await pypi.files.down();
    await installAll(['--bootstrap', holder.ready.multiaddrs[0]!], allFromPeers);
  });

  test('those with URLs install from a peer when the whole upstream is away', async () => {
    await pypi.down();
    // Poetry asks for the page again at each install: without any index it cannot.
    const withUrls = locked.filter(({ what }) => /^a uv\.lock|pip's/.test(what));
    await installAll(['--bootstrap', holder.ready.multiaddrs[0]!], allFromPeers, withUrls);
  });
});

function withLog(error: unknown, node: NodeProcess): Error {
  return new Error(`${String(error)}\n${node.stderr()}`, { cause: error });
}
