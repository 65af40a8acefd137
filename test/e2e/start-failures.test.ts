/** A start that cannot be: the exit code, one error event on standard output that says what, where and what to do, and no harm. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { fondue, startNode } from '../support/node-process.ts';

interface Failure {
  readonly exit: number;
  readonly code: string;
  readonly message: string;
  readonly fix: string;
}

let base: string;
before(async () => {
  base = await mkdtemp(join(tmpdir(), 'fondue-start-'));
});
after(() => rm(base, { recursive: true, force: true }));

/** Ends by itself, with nothing but one error event on standard output. */
async function failure(args: readonly string[], env: Record<string, string> = {}): Promise<Failure> {
  const usual = [
    '--gateway',
    '127.0.0.1:0',
    '--listen',
    '/ip4/127.0.0.1/tcp/0',
    '--upstream',
    'http://127.0.0.1:1/',
  ];
  const dataDir = ['--data-dir', join(base, 'fresh')];
  const run = await fondue(['up', '--json', ...usual, ...dataDir, ...args], env);
  const lines = run.stdout.trim().split('\n');
  assert.equal(lines.length, 1, `${run.stdout}\n${run.stderr}`);
  const event = JSON.parse(lines[0]!) as Omit<Failure, 'exit'> & { event: string };
  assert.equal(event.event, 'error');
  assert.notEqual(event.fix, '', event.message);
  return { ...event, exit: run.exit };
}

async function takenPort(t: { after(end: () => void): void }): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test('a flag that does not exist is wrong usage and names the nearest one', async () => {
  const { exit, message, fix } = await failure(['--qouta', '5GB']);
  assert.equal(exit, 2);
  assert.match(message, /--qouta/);
  assert.match(`${message} ${fix}`, /--quota/);
});

test('so is an unknown variable, and an unknown key in the file', async () => {
  const variable = await failure([], { FONDUE_UPSTREEM: 'http://127.0.0.1:1/' });
  assert.equal(variable.exit, 2);
  assert.match(variable.message, /FONDUE_UPSTREEM/);
  assert.match(variable.fix, /FONDUE_UPSTREAM/);
  const config = join(base, 'config.toml');
  await writeFile(config, 'page_ttl = "5m"\n');
  const key = await failure(['--config', config]);
  assert.equal(key.exit, 2);
  assert.ok(key.message.includes('page_ttl') && key.message.includes(config), key.message);
  assert.match(key.fix, /page-ttl/);
});

for (const [args, says] of [
  [['--quota', 'much'], /--quota.*much/],
  [['--page-ttl', '5 parsecs'], /--page-ttl.*parsecs/],
  [['--gateway', 'nowhere'], /--gateway.*nowhere/],
  [['--gateway', '127.0.0.1:99999'], /--gateway.*99999/],
  [['--listen', '127.0.0.1:8382'], /--listen.*8382/],
  [['--bootstrap', 'example.org'], /--bootstrap.*example\.org/],
  [['--upstream', 'ftp://example.org/simple/'], /--upstream.*ftp/],
  [['--share', 'some'], /--share.*some/],
  [['--log-level', 'loud'], /--log-level.*loud/],
] as const) {
  test(`a bad value is wrong usage and is named: ${args.join(' ')}`, async () => {
    const { exit, message } = await failure(args);
    assert.equal(exit, 2, message);
    assert.match(message, says);
  });
}

test('a configuration that is missing, or no TOML, is named with its path', async () => {
  const missing = join(base, 'missing.toml');
  const absent = await failure(['--config', missing]);
  assert.equal(absent.exit, 2);
  assert.ok(absent.message.includes(missing));
  const broken = join(base, 'broken.toml');
  await writeFile(broken, 'quota = \n');
  const wrong = await failure(['--config', broken]);
  assert.equal(wrong.exit, 2);
  assert.ok(wrong.message.includes(broken));
});

test('a taken port of the gateway and a taken port for peers: exit 1, which port, and what to do', async (t) => {
  const port = await takenPort(t);
  const gateway = await failure(['--gateway', `127.0.0.1:${port}`]);
  assert.equal(gateway.exit, 1);
  assert.match(gateway.message, new RegExp(`\\b${port}\\b`));
  assert.match(gateway.fix, /--gateway/);
  const peers = await failure(['--listen', `/ip4/127.0.0.1/tcp/${port}`]);
  assert.equal(peers.exit, 1);
  assert.match(peers.message, new RegExp(`\\b${port}\\b`));
  assert.match(peers.fix, /--listen/);
});

test('a data folder that is a file, foreign, or not writable: exit 1, and nothing in it is touched', async () => {
  const file = join(base, 'file');
  await writeFile(file, 'mine');
  const isFile = await failure(['--data-dir', file]);
  assert.equal(isFile.exit, 1);
  assert.ok(isFile.message.includes(file));
  assert.equal(await readFile(file, 'utf8'), 'mine');

  const foreign = join(base, 'foreign');
  await mkdir(foreign);
  await writeFile(join(foreign, 'thesis.tex'), 'years of work');
  const isForeign = await failure(['--data-dir', foreign]);
  assert.equal(isForeign.exit, 1);
  assert.ok(isForeign.message.includes(foreign));
  assert.match(isForeign.fix, /--data-dir/);
  assert.deepEqual(await readdir(foreign), ['thesis.tex']);
});

test(
  'a data folder that cannot be made, by root either: exit 1',
  { skip: process.platform === 'linux' ? false : 'needs /proc' },
  async () => {
    const { exit, message, fix } = await failure(['--data-dir', '/proc/fondue/data']);
    assert.equal(exit, 1);
    assert.match(message, /\/proc\/fondue/);
    assert.match(fix, /--data-dir/);
  },
);

test(
  'a data folder without the right to write in it: exit 1',
  { skip: process.getuid?.() === 0 ? 'root may write everywhere' : false },
  async () => {
    const locked = join(base, 'locked');
    await mkdir(locked, { mode: 0o500 });
    const { exit, message } = await failure(['--data-dir', join(locked, 'data')]);
    await chmod(locked, 0o700);
    assert.equal(exit, 1);
    assert.ok(message.includes(locked));
  },
);

test('a second node on one data folder: exit 1, who has it, and the first goes on', async () => {
  await using pypi = await startFakePypi();
  await using node = await startNode({ upstream: pypi.url });
  const { exit, message, fix } = await failure(['--data-dir', node.ready.dataDir]);
  assert.equal(exit, 1);
  assert.ok(message.includes(node.ready.dataDir) && message.includes(String(node.ready.pid)), message);
  assert.match(fix, /--data-dir/);
  assert.ok((await node.status()).process.rssBytes > 0);
  const file = JSON.parse(await readFile(join(node.ready.dataDir, 'node.json'), 'utf8')) as { pid: number };
  assert.equal(file.pid, node.ready.pid);
});

test('a data folder of a newer format is refused by name', async () => {
  const newer = join(base, 'newer');
  await mkdir(newer);
  await writeFile(join(newer, 'fondue.json'), '{"format":99}\n');
  const { exit, message } = await failure(['--data-dir', newer]);
  assert.equal(exit, 1);
  assert.match(message, /99/);
});

test('without --json the same is told in plain words on standard error, with nothing on standard output', async () => {
  const { exit, stdout, stderr } = await fondue(['up', '--quota', 'much']);
  assert.equal(exit, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /--quota/);
  assert.doesNotMatch(stderr, /\n\s+at /, 'no stack');
});
