/** `fondue export` as people run it: pip over the static tree, a killed run, deletions. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { fixtureProjects } from '../support/fake-pypi/fixture-projects.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { fondue, startNode } from '../support/node-process.ts';
import { clientsMissing, createClientProject } from '../support/python-clients.ts';

const launcher = new URL('../../bin/fondue.js', import.meta.url).pathname;
const flask = ['flask', 'click', 'blinker', 'itsdangerous', 'jinja2', 'markupsafe', 'werkzeug'];

const nodeArgs = (upstream: string, dataDir: string): string[] => [
  '--upstream',
  upstream,
  '--data-dir',
  dataDir,
  '--no-mdns',
  '--listen',
  '/ip4/127.0.0.1/tcp/0',
  '--no-private-upstream',
];

/** A plain static server: `python3 -m http.server`. */
async function serveStatic(folder: string): Promise<AsyncDisposable & { url: string }> {
  const args = ['-u', '-m', 'http.server', '0', '--bind', '127.0.0.1', '--directory', folder];
  const child: ChildProcess = spawn('python3', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  const port = /port (\d+)/.exec(line)?.[1];
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

test(
  'pip installs from the exported tree over a plain static server, with upstream and node gone',
  { skip: clientsMissing() },
  async () => {
    await using folder = await temporaryFolder();
    const dir = join(folder.path, 'mirror');
    const list = join(folder.path, 'projects.txt');
    await writeFile(list, `# what we use\n${flask.join('\n')}\nno-such-project\n`);
    {
      await using pypi = await startFakePypi({ files: fixtureProjects({ names: flask }) });
      const args = ['export', dir, '--projects', list, ...nodeArgs(pypi.url, join(folder.path, 'data'))];
      const run = await fondue(args);
      assert.equal(run.exit, 0, run.stderr);
      assert.match(run.stderr, /no such project: no-such-project/);
      assert.match(run.stdout, /: 7 projects; fetched \d+ files/);
    }
    await using server = await serveStatic(dir);
    await using project = await createClientProject();
    for (const client of ['pip', 'uv'] as const) {
      await project.forget();
      const install = await project.install(client, `${server.url}/simple/`);
      assert.equal(install.exit, 0, `${client}: ${install.output}`);
      const imported = await project.run('python', '-c', 'import flask; print("imported", flask.__name__)');
      assert.match(imported.output, /imported flask/);
    }
  },
);

test('a killed export goes on where it was, through the running node, and carries deletions out', async () => {
  await using folder = await temporaryFolder();
  const wheels = Array.from({ length: 12 }, (_, at) =>
    makeWheel({ name: `part${at % 4}`, version: `1.${at}`, extraBytes: 400_000 }),
  );
  await using pypi = await startFakePypi({ files: wheels, bytesPerSecond: 1_500_000 });
  await using node = await startNode({ upstream: pypi.url, args: ['--page-ttl', '1s', '--no-mdns'] });
  const dir = join(folder.path, 'mirror');
  const args = ['export', dir, '--json', '--data-dir', node.ready.dataDir];
  const first = spawn(process.execPath, [launcher, ...args], { stdio: 'ignore' });
  await eventually('some files are there', async () => {
    const files = await filesBelow(join(dir, 'files')).catch(() => []);
    return files.some((path) => path.endsWith('.whl'));
  });
  first.kill('SIGKILL');
  await once(first, 'exit');
  const before = (await filesBelow(join(dir, 'files'))).filter((path) => path.endsWith('.whl')).length;
  assert.ok(before < wheels.length, 'it was done before it was killed: make the upstream slower');

  const second = await fondue(args);
  assert.equal(second.exit, 0, second.stderr);
  const outcome = JSON.parse(second.stdout) as { projects: number; files: number; failures: string[] };
  assert.deepEqual([outcome.projects, outcome.failures], [4, []]);
  assert.ok(outcome.files <= wheels.length - before, `${outcome.files} of ${wheels.length - before}`);
  const stored = (await filesBelow(join(dir, 'files'))).filter((path) => path.endsWith('.whl'));
  assert.equal(stored.length, wheels.length);
  const temporary = await readdir(join(dir, '.fondue-export', 'tmp'));
  assert.deepEqual(temporary, []);

  pypi.removeFile(wheels[0]!.filename);
  const third = await eventually('the node sees the new page', async () => {
    const run = await fondue(args);
    assert.equal(run.exit, 0, run.stderr);
    return (JSON.parse(run.stdout) as { removedFiles: number }).removedFiles === 1 && run;
  });
  assert.equal((JSON.parse(third.stdout) as { removedProjects: number }).removedProjects, 0);
  assert.ok(!(await filesBelow(dir)).some((path) => path.includes(wheels[0]!.filename)));
  assert.doesNotMatch(
    await readFile(join(dir, 'simple/part0/index.html'), 'utf8'),
    new RegExp(`>${wheels[0]!.filename}<`),
  );
});

test('an export that cannot be whole says what is missing and ends with 1; a wrong folder or list is told', async () => {
  await using folder = await temporaryFolder();
  await using pypi = await startFakePypi({
    files: [makeWheel({ name: 'part', version: '1.0' })],
  });
  pypi.fault('broken', { kind: 'status', status: 403 });
  const list = join(folder.path, 'projects.txt');
  await writeFile(list, 'part\nbroken\n');
  const node = nodeArgs(pypi.url, join(folder.path, 'data'));
  const dir = join(folder.path, 'mirror');
  await using running = await startNode({ upstream: pypi.url, args: ['--no-mdns'] });
  const data = ['--data-dir', running.ready.dataDir];
  const [partly, foreign, noList, badLine] = await Promise.all([
    fondue(['export', dir, '--projects', list, ...data]),
    fondue(['export', folder.path, '--projects', list, ...data]),
    fondue(['export', dir, '--projects', join(folder.path, 'none.txt'), ...node]),
    writeFile(join(folder.path, 'bad.txt'), 'part\nno name\n').then(() =>
      fondue(['export', dir, '--projects', join(folder.path, 'bad.txt'), ...node]),
    ),
  ]);
  assert.equal(partly.exit, 1);
  assert.match(partly.stderr, /not done: broken: /);
  assert.match(await readFile(join(dir, 'simple/part/index.html'), 'utf8'), /part-1\.0/);
  assert.equal(foreign.exit, 1);
  assert.match(foreign.stderr, /not empty and not an export/);
  assert.equal(noList.exit, 2);
  assert.equal(badLine.exit, 2);
  assert.match(badLine.stderr, /bad\.txt, line 2/);
});
