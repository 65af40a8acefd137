/**
 * Publishers that are wrong, each a real `fondue publish`: one reads through a proxy that lies, and comes back from a backup with the
 * same key. A follower of two of three serves what is true all the while. Nothing of what is judged is imported from `src/`.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { type FakePypi, startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { startLyingProxy } from '../support/lying-proxy.ts';
import { fondue, type NodeProcess, startNode } from '../support/node-process.ts';
import { type PublisherGroup, startPublisherGroup } from '../support/publisher-group.ts';

const interval = 2;
/** Seconds after which what changed upstream is served changed. */
const promised = 2 * interval + 10;
const prize = makeWheel({ name: 'fonduta', version: '2.0', extraBytes: 50_000 });
const whole = { status: 200, sha256: prize.sha256 };
const suspect = makeWheel({ name: 'suspect' });
const forged = prize.poisoned();
const lie = { filename: prize.filename, sha256: createHash('sha256').update(forged).digest('hex') };

interface Page {
  readonly files: readonly { readonly filename: string; readonly hashes: { readonly sha256?: string } }[];
}

interface Seen {
  readonly status: number;
  readonly hashes: readonly (string | undefined)[];
  /** Seconds. */
  readonly age: number;
  readonly serial: number;
}

interface IndexStatus {
  readonly ready: boolean;
  readonly voters: readonly { readonly name: string; readonly size: number; readonly excluded: boolean }[];
  readonly misconduct: readonly { readonly origin: string; readonly kind: string; readonly digest: string }[];
}

async function look(gateway: string, project: string): Promise<Seen> {
  const answer = await download(`${gateway}/simple/${project}/`, { headers: jsonPage });
  const { files } = answer.status === 200 ? (JSON.parse(answer.body.toString()) as Page) : { files: [] };
  return {
    status: answer.status,
    hashes: files.map(({ hashes }) => hashes.sha256),
    age: Number(answer.headers['fondue-index-age']),
    serial: Number(answer.headers['x-pypi-last-serial']),
  };
}

async function file(gateway: string): Promise<{ status: number; sha256: string }> {
  const { status, sha256 } = await download(fileUrl(gateway, prize));
  return { status, sha256 };
}

async function indexStatus({ ready }: NodeProcess): Promise<IndexStatus> {
  const { stdout } = await fondue(['index', 'status', '--json', '--data-dir', ready.dataDir]);
  return JSON.parse(stdout) as IndexStatus;
}

describe('publishers that are wrong, and a follower of two of three', () => {
  let stack: AsyncDisposableStack;
  let folder: string;
  let pypi: FakePypi;
  let group: PublisherGroup;
  let node: NodeProcess;

  const startFollower = async (...args: string[]): Promise<NodeProcess> =>
    stack.use(
      await startNode({
        upstream: pypi.url,
        dataDir: join(folder, 'follower'),
        args: ['--no-mdns', '--mode', 'offline', '--policy', join(folder, 'policy'), ...args],
      }),
    );

  before(async () => {
    stack = new AsyncDisposableStack();
    folder = stack.use(await temporaryFolder()).path;
    pypi = stack.use(await startFakePypi({ files: [prize, suspect] }));
    const proxy = await startLyingProxy({
      fonduta(page) {
        page.meta['_last-serial'] = (page.meta['_last-serial'] ?? 0) + 1000;
        for (const file of page.files) file.hashes.sha256 = lie.sha256;
      },
    });
    stack.use(proxy);
    group = await startPublisherGroup({
      folder,
      upstream: pypi.url,
      names: ['one', 'two', 'three'],
      threshold: 2,
      projects: ['fonduta', 'suspect', 'never-was'],
      interval,
      env: { three: { HTTP_PROXY: proxy.url } },
    });
    stack.use(group);
    // A client of "one" brings the file into the network.
    await look(group.member('one').gateway, 'fonduta');
    assert.deepEqual(await file(group.member('one').gateway), whole);
    node = await startFollower(...group.bootstrap());
  });
  after(() => stack.disposeAsync());

  it('outvotes one that signs another hash under a higher serial', async () => {
    const [honest, lying] = await Promise.all(
      ['one', 'three'].map((name) => look(group.member(name).gateway, 'fonduta')),
    );
    assert.deepEqual(lying?.hashes, [lie.sha256], 'it does lie');
    assert.ok((lying?.serial ?? 0) > (honest?.serial ?? Infinity), 'and its serial is the higher one');
    const all = await eventually('three maps at the follower', async () => {
      const { voters } = await indexStatus(node);
      return voters.every(({ size }) => size > 0) && voters;
    });
    assert.deepEqual(
      all.map(({ excluded }) => excluded),
      [false, false, false],
      'to be wrong is no misconduct',
    );
    const page = await eventually('the page', async () => {
      const seen = await look(node.ready.gateway, 'fonduta');
      return seen.status === 200 && seen;
    });
    assert.deepEqual(page.hashes, [prize.sha256]);
    assert.equal(page.serial, honest?.serial);
    assert.ok(page.age >= 0);
    // The forged one is asked for, and never there.
    assert.deepEqual(await file(node.ready.gateway), whole);
    const never = await download(fileUrl(node.ready.gateway, lie));
    assert.ok(never.status === 404 || never.status === 503, `the lie was answered with ${never.status}`);
  });

  it('offers no files of a project that the upstream quarantines, in time', async (t) => {
    const before = await eventually('the page', async () => {
      const seen = await look(node.ready.gateway, 'suspect');
      return seen.status === 200 && seen;
    });
    assert.deepEqual(before.hashes, [suspect.sha256]);
    pypi.setStatus('suspect', 'quarantined');
    const began = performance.now();
    const gone = await eventually(
      'the page without files',
      async () => {
        const seen = await look(node.ready.gateway, 'suspect');
        return seen.hashes.length === 0 && seen;
      },
      promised * 1000,
    );
    t.diagnostic(`after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    assert.ok(gone.status === 200, `answered with ${gone.status}: the project is there, its files are not`);
  });

  it('exposes one that is restored from a backup and signs a second history, and goes on with the others', async () => {
    const three = group.member('three');
    const follower = node.ready.multiaddrs[0] ?? '';
    const known = async (): Promise<number> =>
      (await indexStatus(node)).voters.find(({ name }) => name === 'three.example')?.size ?? 0;
    await three.stop();
    await three.backUp(join(folder, 'backup'));
    await three.start([follower]);
    await three.process.event('a record after the backup', ({ event }) => event === 'signed');
    const { size } = three;
    await eventually('that record at the follower', async () => (await known()) >= size);
    await three.stop('SIGKILL');
    await three.restore(join(folder, 'backup'));
    await three.start([]);
    await three.signed((await known()) + 1);
    assert.deepEqual((await indexStatus(node)).misconduct, [], 'nobody has heard of it yet');
    await three.stop();
    await three.start([follower]);
    const status = await eventually('its exposure', async () => {
      const now = await indexStatus(node);
      return now.misconduct.length > 0 && now;
    });
    assert.deepEqual(
      status.misconduct.map(({ origin }) => origin),
      ['three.example'],
      'once, and nobody else',
    );
    assert.deepEqual(
      status.voters.map(({ name, excluded }) => [name, excluded]),
      [
        ['one.example', false],
        ['two.example', false],
        ['three.example', true],
      ],
    );
    assert.ok(status.ready);
    const shown = await fondue(['index', 'status', '--data-dir', node.ready.dataDir]);
    assert.match(shown.stdout, /2 of 3 must agree; 1 of 3 excluded, so 2 of 2 must/);
    assert.match(shown.stdout, /three\.example.*EXCLUDED: it signed two different/);
    // The proof is anybody's to check, and a person may forgive: a line of the policy, for this very proof.
    const [proof] = status.misconduct;
    const out = join(folder, 'three.misconduct');
    const digest = proof?.digest ?? '';
    const dataDir = ['--data-dir', node.ready.dataDir];
    assert.equal((await fondue(['index', 'misconduct', digest, '--out', out, ...dataDir])).exit, 0);
    assert.equal(
      createHash('sha256')
        .update(await readFile(out))
        .digest('hex'),
      digest,
    );
    const reviewed = join(folder, 'reviewed-policy');
    await copyFile(join(folder, 'policy'), reviewed);
    const reason = ['--reason', 'a restored backup'];
    const pardon = await fondue([
      'trust',
      'pardon',
      'three.example',
      '--policy',
      reviewed,
      ...dataDir,
      ...reason,
    ]);
    assert.equal(pardon.exit, 0, pardon.stderr);
    assert.ok(
      (await readFile(reviewed, 'utf8')).endsWith(`#fondue pardon sha256:${digest} a restored backup\n`),
    );
    const nothing = await fondue(['trust', 'pardon', 'two.example', '--policy', reviewed, ...dataDir]);
    assert.equal(nothing.exit, 1);
    assert.match(nothing.stderr, /nothing to pardon/);
    // The other two are enough for what is new.
    const added = makeWheel({ name: 'fonduta', version: '2.1' });
    pypi.addFile(added);
    await eventually(
      'a new file at the follower',
      async () => (await look(node.ready.gateway, 'fonduta')).hashes.includes(added.sha256),
      promised * 1000,
    );
  });

  it('serves what was believed after a restart with no peers and no upstream, as old as it is', async () => {
    await pypi.down();
    const down = Date.now();
    const before = await look(node.ready.gateway, 'fonduta');
    await Promise.all(group.members.map((member) => member.stop()));
    assert.equal(await node.stop(), 0);
    node = await startFollower();
    assert.equal((await node.status()).network.connections, 0);
    const asked = Date.now();
    const page = await look(node.ready.gateway, 'fonduta');
    assert.equal(page.status, 200);
    assert.deepEqual(page.hashes, before.hashes);
    assert.ok(before.hashes.includes(prize.sha256));
    assert.equal(page.serial, before.serial);
    // What it believes was seen before the upstream went down.
    assert.ok(page.age >= (asked - down) / 1000, `${page.age} s is younger than the truth`);
    assert.ok(page.age < (asked - down) / 1000 + 60, `${page.age} s is far older than the truth`);
    assert.deepEqual(await file(node.ready.gateway), whole);
    assert.deepEqual((await look(node.ready.gateway, 'suspect')).hashes, []);
    assert.equal((await look(node.ready.gateway, 'never-was')).status, 404);
    assert.deepEqual(
      (await indexStatus(node)).misconduct.map(({ origin }) => origin),
      ['three.example'],
      'a restart does not forget',
    );
  });

  it('is all that a newcomer needs: with publishers and upstream gone it learns maps, pages, files and the proof from it', async () => {
    const shown = await look(node.ready.gateway, 'fonduta');
    const newcomer = stack.use(
      await startNode({
        upstream: pypi.url,
        // prettier-ignore
        args: ['--no-mdns', '--mode', 'offline', '--policy', join(folder, 'policy'), '--bootstrap', node.ready.multiaddrs[0] ?? ''],
      }),
    );
    const page = await eventually('the page', async () => {
      const seen = await look(newcomer.ready.gateway, 'fonduta');
      return seen.status === 200 && seen;
    });
    assert.deepEqual([page.hashes, page.serial], [shown.hashes, shown.serial]);
    assert.ok(
      page.age >= shown.age,
      `${page.age} s is younger than the ${shown.age} s of who it learned from`,
    );
    assert.deepEqual(await file(newcomer.ready.gateway), whole);
    const quarantined = await look(newcomer.ready.gateway, 'suspect');
    assert.deepEqual([quarantined.status, quarantined.hashes], [200, []]);
    assert.equal((await look(newcomer.ready.gateway, 'never-was')).status, 404);
    const { misconduct } = await eventually('the proof', async () => {
      const status = await indexStatus(newcomer);
      return status.misconduct.length > 0 && status;
    });
    assert.deepEqual(
      misconduct.map(({ origin }) => origin),
      ['three.example'],
    );
    const { fetched } = await newcomer.status();
    assert.equal(fetched.bytes.upstream, 0);
  });
});
