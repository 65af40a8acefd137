/**
 * Packs the package, looks at it with publint, installs the tarball into an empty folder and starts it once, as a user would; then
 * as a library: the example of docs/library.md runs, and its types are checked from outside.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startFakePypi } from '../test/support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../test/support/fake-pypi/wheel.ts';

const root = new URL('..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'fondue-package-'));
const run = (file: string, args: string[], cwd: string): string =>
  execFileSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

/** What breaks when a type cannot be found, and would be `any` in silence: each line after the mark must be an error. */
const CONSUMER = `
import { configure, createNode, parseProjectName, UnavailableError } from 'fondue-mirror';
import type { BlobStore, Catalog, Clock, FondueNode, NodeOverrides, NodeStatus, PeerNetwork, Upstream } from 'fondue-mirror';
const clock: Clock = { now: () => 0, monotonic: () => 0, setTimer: () => ({ cancel() {} }) };
const overrides: NodeOverrides = { clock };
const node: FondueNode = await createNode(configure({ quota: '5GB' }), overrides);
const status: NodeStatus = node.status();
node.facts.on('blob:added', ({ size }) => size.toFixed());
await node.mirror.project(parseProjectName('flask'));
export type Parts = [BlobStore['stat'], Catalog['page'], PeerNetwork['range'], Upstream['status']];
export const code: 'UNAVAILABLE' = new UnavailableError('').code;
// @ts-expect-error -- no setting
configure({ qouta: '5GB' });
// @ts-expect-error -- not parsed
await node.mirror.project('flask');
// @ts-expect-error -- no fact
node.facts.on('blob:gone', () => {});
// @ts-expect-error -- a number
export const blobs: string = status.store.blobs;
// @ts-expect-error -- has no such member
export type Wrong = [BlobStore['x'], 1];
// @ts-expect-error -- has no such member
export type Wrong2 = [Upstream['x'], 1];
`;

function checkTypes(): void {
  writeFileSync(join(folder, 'consumer.mts'), CONSUMER);
  const options = [
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2024',
    '--lib',
    'es2024,esnext',
  ];
  const types = ['--skipLibCheck', '--types', 'node', '--typeRoots', join(root, 'node_modules/@types')];
  run(join(root, 'node_modules/.bin/tsc'), [...options, ...types, 'consumer.mts'], folder);
}

async function runExample(): Promise<void> {
  const [, example = ''] = /```js\n(.*?)```/s.exec(readFileSync(join(root, 'docs/library.md'), 'utf8')) ?? [];
  writeFileSync(join(folder, 'example.mjs'), example);
  const wheel = makeWheel({ name: 'raclette' });
  await using pypi = await startFakePypi({ files: [wheel] });
  const child = spawn(process.execPath, ['example.mjs', join(folder, 'library'), pypi.url, 'raclette'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let told = '';
  child.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()));
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0 || !told.includes(`kept ${wheel.sha256}`))
    throw new Error(`the example of docs/library.md ended with ${String(code)}: ${told}`);
}

try {
  run('npm', ['run', '--silent', 'build'], root);
  run(join(root, 'node_modules/.bin/publint'), ['--strict'], root);
  const packed = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root),
  ) as unknown;
  // npm 11 answers with a list, npm 12 with an object by name.
  const [entry] = Object.values(
    packed as Record<string, { filename: string; size: number; files: { path: string }[] }>,
  );
  if (entry === undefined) throw new Error('npm pack named no tarball');
  const stray = entry.files.filter(
    ({ path }) => !/^(bin|dist|docs)\/|^(package\.json|README\.md|LICENSE)$/.test(path),
  );
  if (stray.length > 0)
    throw new Error(`not meant to be published: ${stray.map(({ path }) => path).join(', ')}`);
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  run(
    'npm',
    ['install', '--no-audit', '--no-fund', '--loglevel=error', join(folder, entry.filename)],
    folder,
  );

  const launcher = join(folder, 'node_modules/fondue-mirror/bin/fondue.js');
  const version = run(process.execPath, [launcher, '--version'], folder).trim();
  const expected = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string })
    .version;
  if (version !== expected) throw new Error(`fondue --version says ${version}, package.json ${expected}`);

  const child = spawn(
    process.execPath,
    // prettier-ignore
    [launcher, 'up', '--json', '--data-dir', join(folder, 'data'), '--gateway', '127.0.0.1:0', '--listen', '/ip4/127.0.0.1/tcp/0',
      '--upstream', 'http://127.0.0.1:9/simple/'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('exit', (code) =>
      reject(new Error(`the packed program ended with ${code} before it was ready`)),
    );
  });
  const ready = JSON.parse(line) as { event: string; gateway: string };
  if (ready.event !== 'ready') throw new Error(`not ready: ${line}`);
  const health = await fetch(`${ready.gateway}/-/health`);
  if (health.status !== 200) throw new Error(`health: ${health.status}`);
  child.kill('SIGTERM');
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(`SIGTERM ended it with ${String(code)}`);
  checkTypes();
  await runExample();
  console.log(
    `package ok: ${entry.filename}, ${entry.files.length} files, ${Math.round(entry.size / 1000)} kB`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
