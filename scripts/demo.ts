/**
 * npm run demo: three nodes on this machine, a small fake PyPI, no Internet. The first installs a package with pip; then the
 * file host goes down and the second installs the same from the first; a third peer lies and is caught. The second act
 * is the signed index.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startFakePypi } from '../test/support/fake-pypi/fake-pypi.ts';
import { type FakeFile, makeWheel } from '../test/support/fake-pypi/wheel.ts';
import { startNode, type NodeProcess } from '../test/support/node-process.ts';
import { playIndexAct } from './demo-index.ts';
import { createInstaller, type Installer, say } from './demo-story.ts';

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;

async function report(name: string, node: NodeProcess): Promise<void> {
  const { served, fetched } = await node.status();
  say(
    `  ${name} fetched ${mb(fetched.bytes.upstream)} from the upstream, ${mb(fetched.bytes.peer)} from peers;`,
  );
  const { disk, peer, upstream } = served.bytes;
  say(
    `  ${name} gave out ${mb(disk)} from disk, ${mb(peer)} as peers sent it, ${mb(upstream)} as the upstream sent it`,
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

const MOST_ROUNDS = 10;

/** Stops with the act, however that ends. */
async function playBlobAct(wheels: readonly FakeFile[], installer: Installer): Promise<boolean> {
  await using stack = new AsyncDisposableStack();
  const pypi = stack.use(await startFakePypi({ files: wheels }));
  say(`a fake PyPI with ${wheels.length} projects listens on ${pypi.url}`);

  const first = stack.use(await startNode({ upstream: pypi.url, args: ['--no-mdns'] }));
  const [address = ''] = first.ready.multiaddrs;
  say(`node A is up at ${first.ready.gateway}; ${installer.name} installs "fonduta" through it`);
  const one = await installer.install(first.index, 'a');
  await report('A', first);

  await pypi.files.down();
  say('the upstream loses its file host: pages are answered, files are not');
  const blobs = wheels.map((wheel) => `${wheel.sha256}=${wheel.bytes().length}`).join(',');
  const lying = await startLiar(address, blobs);
  stack.defer(() => void lying.child.kill());
  say(`peer C joins and says that it has everything: ${lying.peerId}`);
  // Whom B asks first is chance: with luck it never takes a byte from the liar, and nothing is shown.
  let installed = one;
  for (let round = 1; round <= MOST_ROUNDS; round++) {
    await using second = await startNode({
      upstream: pypi.url,
      args: ['--no-mdns', '--bootstrap', lying.address, '--bootstrap', address],
    });
    say(`node B, empty, knows A and C; ${installer.name} installs "fonduta" through it`);
    installed = (await installer.install(second.index, `b${round}`)) && installed;
    await report('B', second);
    const { banned } = (await second.status()).network;
    for (const ban of banned)
      say(`  B banned ${ban.peerId === lying.peerId ? 'C, the liar' : ban.peerId}: ${ban.reason}`);
    if (!installed || banned.some(({ peerId }) => peerId !== lying.peerId)) return false;
    if (banned.length > 0) return true;
    say('  A was quicker with everything, and C was not asked: once more with an empty node');
  }
  return false;
}

const folder = await mkdtemp(join(tmpdir(), 'fondue-demo-'));
try {
  const cheeses = ['emmental', 'gruyere', 'vacherin'];
  const wheels = [
    makeWheel({ name: 'fonduta', version: '2.0', requires: cheeses, extraBytes: 400_000 }),
    ...cheeses.map((name) => makeWheel({ name, version: '1.0', extraBytes: 300_000 })),
  ];
  const installer = createInstaller(folder, wheels);
  const first = await playBlobAct(wheels, installer);
  const done = (await playIndexAct(folder, wheels, installer)) && first;
  say(
    done
      ? 'done: everything came from somewhere, and nothing wrong got through'
      : 'this did not go as it should',
  );
  process.exitCode = done ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
