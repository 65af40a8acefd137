/** The fake PyPI is what other tests stand on: real pip installs from it, and its faults are what they say. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { parseFault } from '../support/fake-pypi/faults.ts';
import { fixtureProjects } from '../support/fake-pypi/fixture-projects.ts';
import { spawnFakePypi } from '../support/fake-pypi/process.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { fixturePath, fixturesMissing } from '../support/fixtures.ts';

const noPip =
  spawnSync('python3', ['-m', 'pip', '--version']).status === 0 ? false : 'no python3 with pip here';

async function pip(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const all = ['-m', 'pip', '--isolated', '--disable-pip-version-check', '--no-cache-dir', ...args];
  const child = spawn('python3', all, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, output };
}

for (const options of [{}, { format: 'html', coreMetadata: 'none', fileUrls: 'path' }] as const) {
  test(
    `pip installs a synthetic wheel and what it requires ${JSON.stringify(options)}`,
    { skip: noPip },
    async () => {
      const files = [
        makeWheel({ name: 'Big.Thing', version: '2.1', requires: ['small>=1'], extraBytes: 300_000 }),
        makeWheel({ name: 'small', version: '1.5' }),
      ];
      await using pypi = await startFakePypi({ files, ...options });
      const target = mkdtempSync(join(tmpdir(), 'fake-pypi-'));
      const { code, output } = await pip(['install', '-i', pypi.url, '--target', target, 'big-thing']);
      assert.equal(code, 0, output);
      assert.equal(readFileSync(join(target, 'big_thing/__init__.py'), 'utf8'), '__version__ = "2.1"\n');
      assert.ok(existsSync(join(target, 'small/__init__.py')));
      rmSync(target, { recursive: true });
      assert.ok(pypi.requestsFor('/simple/small/').every((entry) => entry.status === 200));
    },
  );
}

test('a poisoned wheel is a sound zip of the same length with another hash', { skip: noPip }, async () => {
  const file = makeWheel({ name: 'thing', extraBytes: 1000 });
  assert.equal(file.poisoned().length, file.size);
  await using pypi = await startFakePypi({ files: [file], omit: ['hashes'], coreMetadata: 'none' });
  pypi.fault('thing', 'file-poison');
  const target = mkdtempSync(join(tmpdir(), 'fake-pypi-'));
  const { code, output } = await pip(['install', '-i', pypi.url, '--target', target, 'thing']);
  rmSync(target, { recursive: true });
  assert.equal(code, 0, output);
});

/** Recorded as options of the page, not as faults. */
const OPTIONS = ['old-attribute', 'no-upload-time', 'no-hash', 'no-size'];

test('every fault that the recordings name is known', { skip: fixturesMissing() }, () => {
  const folder = fixturePath('clients');
  const recordings = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  const named = recordings.flatMap((name) => {
    const [first = ''] = readFileSync(join(folder, name), 'utf8').split('\n', 1);
    return (JSON.parse(first) as { faults: string[] }).faults;
  });
  const faults = new Set(named.filter((fault) => !OPTIONS.includes(fault)));
  assert.ok(faults.size > 30);
  for (const fault of faults) assert.doesNotThrow(() => parseFault(fault), fault);
  assert.deepEqual(parseFault('cut-file-once=50000'), {
    match: { what: 'file' },
    fault: { kind: 'cut', after: 50_000 },
    options: { times: 1 },
  });
  assert.throws(() => parseFault('nonsense'), /no fault is called/);
});

test('the fixtures come with the hashes of their real pages', { skip: fixturesMissing() }, async () => {
  const files = fixtureProjects({ names: ['click', 'flask', 'poetry'] });
  assert.ok(files.length >= 3);
  for (const file of files) {
    assert.equal(createHash('sha256').update(file.bytes()).digest('hex'), file.sha256, file.filename);
  }
  await using pypi = await startFakePypi({ files });
  const accept = 'application/vnd.pypi.simple.v1+json';
  const page = (await (await fetch(`${pypi.url}click/`, { headers: { accept } })).json()) as {
    files: { url: string; hashes: { sha256: string } }[];
  };
  const response = await fetch(page.files[0]!.url);
  const body = Buffer.from(await response.arrayBuffer());
  assert.equal(createHash('sha256').update(body).digest('hex'), page.files[0]!.hashes.sha256);
});

test('as a process it takes faults, goes down and comes back on the same port', async () => {
  await using pypi = await spawnFakePypi(['--wheel', 'thing==1.0:1000']);
  const status = async (): Promise<number> => (await fetch(`${pypi.url}thing/`)).status;
  assert.equal(await status(), 200);
  await pypi.post('/-/fault', { match: 'thing', fault: 'page-503-once=2' });
  assert.equal(await status(), 503);
  assert.equal(await status(), 200);
  await pypi.post('/-/down', { host: 'index' });
  await assert.rejects(status);
  await pypi.post('/-/up', {});
  assert.equal(await status(), 200);
  assert.deepEqual(
    (await pypi.requests('/simple/*')).map((entry) => entry.status),
    [200, 503, 200, 200],
  );
});
