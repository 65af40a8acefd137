/**
 * npm run demo: three nodes on this machine, a small fake PyPI, no Internet. The first installs a package with pip; then the
 * file host goes down and the second installs the same from the first; a third peer lies and is caught.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startFakePypi } from '../test/support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../test/support/fake-pypi/wheel.ts';
import { startNode, type NodeProcess } from '../test/support/node-process.ts';

const started = performance.now();
const say = (text: string): void =>
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s  ${text}`);
const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;

function python(): string {
  try {
    execFileSync('python3', ['-c', 'import venv, ensurepip'], { stdio: 'ignore' });
    return 'python3';
  } catch {
    console.error(
      'the demo installs with pip: it needs python3 with venv (Debian: apt install python3-venv)',
    );
    process.exit(1);
  }
}

async function pipInstall(folder: string, node: NodeProcess, name: string): Promise<boolean> {
  const target = join(folder, name);
  const code = await new Promise<number | null>((resolve) => {
    const child = spawn(
      join(folder, 'venv/bin/python'),
      // prettier-ignore
      ['-m', 'pip', 'install', '-q', '--no-cache-dir', '--disable-pip-version-check', '--target', target, '-i', node.index, 'fonduta'],
      {
        stdio: ['ignore', 'inherit', 'inherit'],
        env: { PATH: process.env['PATH'] ?? '', PIP_CONFIG_FILE: '/dev/null' },
      },
    );
    child.on('close', resolve);
  });
  const found = existsSync(target)
    ? (await readdir(target)).filter((entry) => !entry.endsWith('.dist-info'))
    : [];
  say(code === 0 ? `  pip installed ${found.toSorted().join(', ')}` : `  pip failed with exit code ${code}`);
  return code === 0;
}

async function report(name: string, node: NodeProcess): Promise<void> {
  const { served, fetched } = await node.status();
  say(
    `  ${name} fetched ${mb(fetched.bytes.upstream)} from the upstream, ${mb(fetched.bytes.peer)} from peers;`,
  );
  const { disk, peer, upstream } = served.bytes;
  say(
    `  ${name} gave pip ${mb(disk)} from disk, ${mb(peer)} as peers sent it, ${mb(upstream)} as the upstream sent it`,
  );
}

async function startLiar(
  dial: string,
  blobs: string,
): Promise<{ child: ChildProcess; peerId: string; address: string }> {
  const main = new URL('../test/support/liar/main.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [main, '--dial', dial, '--blobs', blobs], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((resolve) =>
    createInterface({ input: child.stdout }).once('line', resolve),
  );
  const ready = JSON.parse(line) as { peerId: string; multiaddrs: string[] };
  return { child, peerId: ready.peerId, address: ready.multiaddrs[0] ?? '' };
}

const folder = await mkdtemp(join(tmpdir(), 'fondue-demo-'));
let liar: ChildProcess | undefined;
try {
  execFileSync(python(), ['-m', 'venv', join(folder, 'venv')]);
  const cheeses = ['emmental', 'gruyere', 'vacherin'];
  const wheels = [
    ...cheeses.map((name) => makeWheel({ name, version: '1.0', extraBytes: 300_000 })),
    makeWheel({ name: 'fonduta', version: '2.0', requires: cheeses, extraBytes: 400_000 }),
  ];
  await using pypi = await startFakePypi({ files: wheels });
  say(`a fake PyPI with ${wheels.length} projects listens on ${pypi.url}`);

  await using first = await startNode({ upstream: pypi.url, args: ['--no-mdns'] });
  const [address = ''] = first.ready.multiaddrs;
  say(`node A is up at ${first.ready.gateway}; pip installs "fonduta" through it`);
  const one = await pipInstall(folder, first, 'a');
  await report('A', first);

  await pypi.files.down();
  say('the upstream loses its file host: pages are answered, files are not');
  const blobs = wheels.map((wheel) => `${wheel.sha256}=${wheel.bytes().length}`).join(',');
  const lying = await startLiar(address, blobs);
  liar = lying.child;
  say(`peer C joins and says that it has everything: ${lying.peerId}`);
  await using second = await startNode({
    upstream: pypi.url,
    args: ['--no-mdns', '--bootstrap', lying.address, '--bootstrap', address],
  });
  say(`node B, empty, knows A and C; pip installs "fonduta" through it`);
  const two = await pipInstall(folder, second, 'b');
  await report('B', second);
  const { banned } = (await second.status()).network;
  for (const ban of banned)
    say(`  B banned ${ban.peerId === lying.peerId ? 'C, the liar' : ban.peerId}: ${ban.reason}`);
  const caught = banned.some(({ peerId }) => peerId === lying.peerId);
  const honest = banned.every(({ peerId }) => peerId === lying.peerId);

  const done = one && two && caught && honest;
  say(
    done
      ? 'done: everything came from somewhere, and nothing wrong got through'
      : 'this did not go as it should',
  );
  process.exitCode = done ? 0 : 1;
} finally {
  liar?.kill();
  await rm(folder, { recursive: true, force: true });
}
