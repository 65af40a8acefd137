/** Packs the package, looks at it with publint, installs the tarball into an empty folder and starts it once, as a user would. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const root = new URL('..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'fondue-package-'));
const run = (file: string, args: string[], cwd: string): string =>
  execFileSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

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
  console.log(
    `package ok: ${entry.filename}, ${entry.files.length} files, ${Math.round(entry.size / 1000)} kB`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
