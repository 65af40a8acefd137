/**
 * A publisher's log read by Go's own `sumdb/note` and `sumdb/tlog` (test/support/go-checker): nothing of ours judges. Needs Go and
 * golang.org/x/mod as Debian has them: `apt-get install golang-go golang-golang-x-mod-dev`.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { alice } from '../store/publisher-log/contract.ts';
import { temporaryFolder } from '../support/disk-store.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { fondue } from '../support/node-process.ts';
import { startPublisher } from '../support/publisher-process.ts';

const source = new URL('../support/go-checker/main.go', import.meta.url).pathname;
const env = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOFLAGS: '' };
const goMissing =
  spawnSync('go', ['vet', source], { env }).status === 0
    ? false
    : 'no Go with golang.org/x/mod here (Debian: golang-go golang-golang-x-mod-dev)';

interface Told {
  readonly origin: string;
  readonly size: number;
  readonly heads: number;
}

/** `heads`: "SIZE ROOT" of earlier ones, the root in base64. */
function check(folder: string, verifierKey: string, heads: readonly string[], keyFile: string[] = []): Told {
  const { stdout, stderr, status } = spawnSync('go', ['run', source, folder, verifierKey, ...keyFile], {
    env,
    encoding: 'utf8',
    input: heads.join('\n'),
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
  return JSON.parse(stdout) as Told;
}

test(
  'Go reads the log of fondue publish, over a kill -9, and signs with its key',
  { skip: goMissing },
  async () => {
    await using folder = await temporaryFolder();
    const [key, list] = [join(folder.path, 'key'), join(folder.path, 'projects.txt')];
    const made = await fondue(['key', 'new', '--name', 'go.example/log', '--out', key]);
    assert.equal(made.exit, 0, made.stderr);
    const verifierKey = made.stdout.trim();
    await writeFile(list, 'one\ntwo\n');
    await using pypi = await startFakePypi({ files: [makeWheel({ name: 'one' })] });
    const dataDir = join(folder.path, 'data');
    const log = join(dataDir, 'publisher/log');
    const start = () =>
      // prettier-ignore
      startPublisher({ upstream: pypi.url, dataDir, key, args: ['--no-mdns', '--projects', list, '--interval', '1s'] });
    const heads: string[] = [];
    const noteHead = async (): Promise<void> => {
      const [, size = '', root = ''] = (await readFile(join(log, 'checkpoint'), 'utf8')).split('\n');
      heads.push(`${size} ${root}`);
    };
    let size = 0;
    for (const [round, change] of [
      () => pypi.addFile(makeWheel({ name: 'two' })),
      () => pypi.removeProject('one'),
    ].entries()) {
      await using publisher = start();
      for (const more of [1, 2, 4]) {
        await publisher.event(`record ${size + more}`, (event) => (event.size ?? 0) >= size + more, 60_000);
        await noteHead();
        if (more === 1) change();
      }
      size = Math.max(...publisher.events.map((event) => event.size ?? 0));
      assert.equal(await publisher.stop(round === 0 ? 'SIGKILL' : 'SIGTERM'), round === 0 ? null : 0);
    }
    const told = check(log, verifierKey, heads, [key]);
    assert.deepEqual([told.origin, told.heads], ['go.example/log', 6]);
    assert.ok(told.size >= 8, `${told.size} records`);
  },
);

test(
  'Go reads a log of several tiles and levels, and finds each earlier head in it',
  { skip: goMissing },
  async () => {
    await using folder = await temporaryFolder();
    const child = new URL('../support/log-writer-child.ts', import.meta.url).pathname;
    const heads: string[] = [];
    const writer = spawn(process.execPath, [child, folder.path, '0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface(writer.stdout)) {
      const [what, size = '', root = ''] = line.split(' ');
      if (what !== 'signed') continue;
      heads.push(`${size} ${Buffer.from(root, 'hex').toString('base64')}`);
      if (Number(size) === 600) writer.kill('SIGKILL');
    }
    if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
    const told = check(join(folder.path, 'log'), alice.key.text, heads);
    assert.ok(told.size >= 600, `${told.size} records`);
    assert.equal(told.heads, heads.length);
    // An altered tile is not taken: the checker does look.
    const tile = join(folder.path, 'log/tile/0/000');
    const bytes = await readFile(tile);
    bytes[1000]! ^= 1;
    await writeFile(tile, bytes);
    assert.throws(() => check(join(folder.path, 'log'), alice.key.text, heads));
  },
);
