/** `fondue publish` as people run it, against the fake PyPI with the fixtures' real projects. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openCheckpoint } from '../../src/core/log/checkpoint.ts';
import { generateKeyPair, parseSignerKey } from '../../src/core/log/signer-key.ts';
import { writeKeyFile } from '../../src/store/publisher-log/key-file.ts';
import { temporaryFolder } from '../support/disk-store.ts';
import { spawnFakePypi } from '../support/fake-pypi/process.ts';
import { fixturePath, fixturesMissing } from '../support/fixtures.ts';
import { fondue } from '../support/node-process.ts';
import { startPublisher } from '../support/publisher-process.ts';

const keyPair = generateKeyPair('publisher.test/e2e', {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  float: () => 0.5,
});

async function makeKey(folder: string): Promise<string> {
  const path = join(folder, 'key');
  await writeKeyFile(path, keyPair.signerKey);
  return path;
}

function makeList(folder: string): { path: string; names: string[] } {
  const names = readdirSync(fixturePath('index')).map((name) => name.replace(/\.json\.gz$/, ''));
  const path = join(folder, 'projects.txt');
  writeFileSync(path, `# the fixtures\n${names.join('\n')}\n`);
  return { path, names };
}

describe('fondue publish', { skip: fixturesMissing() }, () => {
  it('imports the fixture projects in seconds, and then asks the upstream once a heartbeat', async (t) => {
    await using folder = await temporaryFolder();
    await using pypi = await spawnFakePypi(['--fixtures']);
    const key = await makeKey(folder.path);
    const list = makeList(folder.path);
    await using publisher = startPublisher({
      upstream: pypi.url,
      dataDir: join(folder.path, 'data'),
      key,
      args: ['--projects', list.path, '--interval', '5s'],
    });
    await publisher.event('ready', ({ event }) => event === 'ready');
    assert.equal(publisher.events[0]?.event, 'ready');
    const begun = performance.now();
    const first = await publisher.event(
      'a complete record',
      ({ event, complete }) => event === 'signed' && complete === true,
    );
    const seconds = (performance.now() - begun) / 1000;
    const requests = await pypi.requests('*');
    const pages = requests.filter(({ path }) => /^\/simple\/.+/.test(path));
    const lists = requests.filter(({ path }) => path === '/simple/');
    t.diagnostic(
      `imported ${first.names} of ${list.names.length} in ${seconds.toFixed(1)} s with ${requests.length} requests`,
    );
    assert.equal(new Set(pages.map(({ path }) => path)).size, pages.length, 'no page was read twice');
    assert.ok(lists.length <= 2);
    assert.ok(seconds < 20, `${seconds} s`);
    const size = first.size ?? 0;
    await publisher.event('a heartbeat', (one) => one.event === 'signed' && one.size === size + 1);
    await pypi.post('/-/clear-requests', {});
    await publisher.event('another', (one) => one.event === 'signed' && one.size === size + 3, 30_000);
    const beats = await pypi.requests('*');
    t.diagnostic(`two heartbeats: ${beats.map(({ path, status }) => `${status} ${path}`).join(', ')}`);
    assert.ok(beats.length <= 2, `${beats.length} requests for two heartbeats`);
    assert.ok(beats.every(({ path, status }) => path === '/simple/' && status === 304));
    assert.equal(await publisher.stop(), 0);
  });

  it('goes on after kill -9 during the first import, and reads nothing twice', async (t) => {
    await using folder = await temporaryFolder();
    await using pypi = await spawnFakePypi(['--fixtures', '--latency', '50']);
    const key = await makeKey(folder.path);
    const list = makeList(folder.path);
    const run = {
      upstream: pypi.url,
      dataDir: join(folder.path, 'data'),
      key,
      args: ['--projects', list.path, '--interval', '5s'],
    };
    const killed = startPublisher(run);
    const last = await killed.event('a third of the import', ({ done }) => (done ?? 0) >= 20);
    await killed.stop('SIGKILL');
    const told = killed.events.filter(({ event }) => event === 'progress').length;
    const before = (await pypi.requests('*')).filter(({ path }) => /^\/simple\/.+/.test(path));
    await pypi.post('/-/clear-requests', {});
    await using again = startPublisher(run);
    const first = await again.event(
      'a complete record',
      ({ event, complete }) => event === 'signed' && complete === true,
    );
    const after = (await pypi.requests('*')).filter(({ path }) => /^\/simple\/.+/.test(path));
    const twice = after.filter(({ path }) => before.some((other) => other.path === path));
    t.diagnostic(
      `killed at ${last.done}: ${before.length} pages, then ${after.length}, ${twice.length} twice`,
    );
    assert.ok(told >= 20);
    // At most those that were on their way when it was killed.
    assert.ok(twice.length <= 10, `${twice.length} pages were read twice`);
    assert.ok(after.length < list.names.length - 10);
    // The log is one log, signed by the one key.
    const note = await readFile(join(folder.path, 'data', 'publisher', 'log', 'checkpoint'));
    const { checkpoint } = openCheckpoint(note, [parseSignerKey(keyPair.signerKey).key]);
    assert.equal(checkpoint.size, Math.max(...again.events.map(({ size }) => size ?? 0)));
    assert.equal(first.names, 35);
  });

  it('refuses a key that others may read, a private upstream, and an interval that is none', async () => {
    await using folder = await temporaryFolder();
    const key = await makeKey(folder.path);
    const base = ['publish', '--json', '--gateway', '127.0.0.1:0', '--listen', 'none', '--no-mdns'];
    const at = ['--data-dir', join(folder.path, 'data')];
    const upstream = ['--upstream', 'http://127.0.0.1:9/simple/'];
    const company = await fondue([
      ...base,
      ...at,
      '--key',
      key,
      '--upstream',
      'https://pypi.corp.test/simple/',
      '--private-upstream',
    ]);
    assert.equal(company.exit, 2);
    assert.match(company.stdout, /private/);
    await chmod(key, 0o644);
    const open = await fondue([...base, ...at, ...upstream, '--key', key]);
    assert.equal(open.exit, 1);
    assert.match(open.stdout, /others may read/);
    const none = await fondue([...base, ...at, ...upstream]);
    assert.equal(none.exit, 2);
    const wrong = await fondue([...base, ...at, ...upstream, '--key', key, '--interval', 'often']);
    assert.equal(wrong.exit, 2);
    assert.match(wrong.stdout, /--interval/);
  });
});
