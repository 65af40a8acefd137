/**
 * What a second implementation signs and says, true and forged: `test/support/forging-publisher`, written from docs/protocol.md
 * alone. `near` is connected to all of its peers, `far` to `near` alone, so that what is forged reaches it by a plain
 * relay. Both believe two of three. Nothing here is imported from `src/`.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { download, fileUrl, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { type Forger, startForger } from '../support/forging-publisher/process.ts';
import { fondue, type NodeProcess, startNode } from '../support/node-process.ts';
import { clientsMissing, createClientProject } from '../support/python-clients.ts';

const wheel = makeWheel({ name: 'raclette', version: '1.0', extraBytes: 20_000 });
const newer = makeWheel({ name: 'raclette', version: '2.0' });
const forged = makeWheel({ name: 'raclette', version: '6.6.6' });
const [a, b, c] = ['a.example/log', 'b.example/log', 'c.example/log'] as const;

/** What gossip lost comes with the next round of anti-entropy, 30 s at most. */
const round = 45_000;

/** The peer that answers for a publisher and gives what it names. */
const hostOf = (publisher: string): string => `host of ${publisher}`;

interface IndexStatus {
  readonly ready: boolean;
  readonly voters: readonly {
    readonly origin: string;
    readonly size: number;
    readonly excluded: boolean;
  }[];
  readonly misconduct: readonly { readonly origin: string; readonly kind: string }[];
  readonly refused: Readonly<Record<string, number>>;
}

interface Refused {
  readonly code: string;
  readonly blame: string;
  readonly peerId?: string;
  readonly origin?: string;
}

async function indexStatus({ ready }: NodeProcess): Promise<IndexStatus> {
  const { exit, stdout, stderr } = await fondue(['index', 'status', '--json', '--data-dir', ready.dataDir]);
  assert.equal(exit, 0, stderr);
  return JSON.parse(stdout) as IndexStatus;
}

/** Facts of this name, as the node's log says. */
function told<T>(node: NodeProcess, name: string): T[] {
  return node
    .stderr()
    .split('\n')
    .filter((line) => line.includes(`"fact":"${name}"`))
    .map((line) => (JSON.parse(line) as { readonly facts: T }).facts);
}

const refusals = (node: NodeProcess): Refused[] => told(node, 'record:refused');

const blamesFor = (node: NodeProcess, code: string): (readonly [string, string | undefined])[] =>
  refusals(node).flatMap((one) => (one.code === code ? [[one.blame, one.peerId] as const] : []));

const isHeld = (node: NodeProcess, sha256: string): boolean =>
  told<{ digest: string }>(node, 'blob:added').some(({ digest }) => digest === sha256);

/** The newest record of a publisher whose map the node took. */
function seqOf(node: NodeProcess, origin: string): number | undefined {
  const facts = told<{ origin: string; seq: number }>(node, 'head:advanced');
  return facts.findLast((fact) => fact.origin === origin)?.seq;
}

/** The counter of `/metrics`. */
async function counted(node: NodeProcess, code: string, blame: string): Promise<number> {
  const { body } = await download(`${node.ready.gateway}/metrics`);
  const line = body
    .toString()
    .split('\n')
    .find((text) => text.startsWith(`fondue_index_refused_total{code="${code}",blame="${blame}"}`));
  return Number(line?.split(' ').at(-1) ?? 0);
}

describe('a second implementation of the index', { skip: clientsMissing() }, () => {
  let stack: AsyncDisposableStack;
  let forger: Forger;
  let near: NodeProcess;
  let far: NodeProcess;
  const ids = new Map<string, string>();
  let serial = 100;

  const peer = async (name: string, publishers: readonly string[] = []): Promise<void> => {
    const { peerId } = await forger.peer({ name, publishers, dial: near.ready.multiaddrs[0] ?? '' });
    ids.set(name, peerId);
  };
  /** With fewer neighbours `near` passes everything on to `far` at once. */
  const leave = async (...names: readonly string[]): Promise<void> => {
    for (const name of names) await forger.leave({ peer: name });
  };
  const idOf = (name: string): string => ids.get(name) ?? assert.fail(`no peer ${name}`);
  /** Records of a log that the node knows. */
  const sizeOf = async (node: NodeProcess, origin: string): Promise<number> => {
    const { voters } = await indexStatus(node);
    return voters.find((voter) => voter.origin === origin)?.size ?? 0;
  };
  /** A page of raclette with these files, under a new serial. */
  const page = async (
    name: string,
    files: readonly (typeof wheel)[],
    project = 'raclette',
  ): Promise<void> => {
    await forger.page({ page: name, project, serial: ++serial, files });
  };
  const hashes = async (node: NodeProcess, project = 'raclette'): Promise<readonly string[] | number> => {
    const answer = await download(`${node.ready.gateway}/simple/${project}/`, { headers: jsonPage });
    if (answer.status !== 200) return answer.status;
    const { files } = JSON.parse(answer.body.toString()) as { files: { hashes: { sha256: string } }[] };
    return files.map((file) => file.hashes.sha256);
  };
  const serve = async (nodes: readonly NodeProcess[], files: readonly (typeof wheel)[]): Promise<void> => {
    const wanted = files.map(({ sha256 }) => sha256);
    let next = performance.now() + 2_000;
    for (const node of nodes)
      await eventually(
        `${wanted.join()} at ${node === near ? 'near' : 'far'}`,
        async () => {
          // What came within 5 s of what was passed on last is passed on no further: publishers go on.
          if (performance.now() > next) {
            next = performance.now() + 2_000;
            for (const publisher of [a, b]) await beat(publisher);
          }
          const seen = await hashes(node);
          return (
            typeof seen !== 'number' &&
            seen.length === wanted.length &&
            seen.every((hash) => wanted.includes(hash))
          );
        },
        round,
      );
  };
  /** Signs the same once more, and tells it. */
  const beat = async (publisher: string): Promise<void> => {
    await forger.sign({ publisher });
    await forger.gossip({ peer: hostOf(publisher), publisher });
  };
  /** They serve on: what was there, and then what the honest two sign next. */
  const goesOn = async (name: string, nodes: readonly NodeProcess[] = [near]): Promise<void> => {
    const next = makeWheel({ name: 'raclette', version: `${serial}.0` });
    await page(name, [wheel, next]);
    for (const publisher of [a, b]) {
      const host = hostOf(publisher);
      await forger.behave({ peer: host, pages: [name], files: [next.bytes().toString('base64')] });
      await forger.sign({ publisher, set: [name] });
      await forger.gossip({ peer: host, publisher });
    }
    await serve(nodes, [wheel, next]);
    // `far` can have it from `near` alone, and does not ask it again for what it once had not.
    for (const node of nodes) {
      const file = await download(fileUrl(node.ready.gateway, next));
      assert.deepEqual([file.status, file.sha256], [200, next.sha256]);
      await eventually('that it is held', () => isHeld(node, next.sha256));
    }
  };
  const isAsked = async (name: string, question: string): Promise<number> =>
    (await forger.seen({ peer: name })).asked.filter((one) => one === question).length;
  const bannedPeers = async (node: NodeProcess): Promise<string[]> =>
    (await node.status()).network.banned.map(({ peerId }) => peerId);
  /** Banned peers that are to blame for nothing. */
  const innocent = async (node: NodeProcess): Promise<string[]> => {
    const guilty = ['forger', 'garbler'].map((name) => ids.get(name));
    return (await bannedPeers(node)).filter((peerId) => !guilty.includes(peerId));
  };

  before(async () => {
    stack = new AsyncDisposableStack();
    const folder = stack.use(await temporaryFolder()).path;
    forger = stack.use(startForger());
    const keys = await Promise.all([a, b, c].map((name) => forger.publisher({ name })));
    const policy = join(folder, 'policy');
    await writeFile(
      policy,
      [
        ...keys.map(({ verifier }) => `log ${verifier}`),
        ...keys.map(({ verifier }, at) => `witness p${at} ${verifier}`),
        'group publishers 2 p0 p1 p2',
        'quorum publishers',
        '',
      ].join('\n'),
    );
    const start = async (...args: readonly string[]): Promise<NodeProcess> =>
      stack.use(
        await startNode({
          upstream: 'https://index.example/simple/',
          // prettier-ignore
          args: ['--no-mdns', '--no-private-upstream', '--mode', 'offline', '--policy', policy, '--log-level', 'debug', ...args],
        }),
      );
    near = await start();
    await page('first', [wheel]);
    for (const publisher of [a, b, c]) {
      const host = hostOf(publisher);
      await forger.sign({ publisher, set: ['first'] });
      await peer(host, [publisher]);
      await forger.behave({ peer: host, pages: ['first'], files: [wheel.bytes().toString('base64')] });
    }
    await eventually('the first page', async () => (await hashes(near)) !== 503);
    far = await start('--bootstrap', near.ready.multiaddrs[0] ?? '');
  });
  after(() => stack.disposeAsync());

  it('is followed, and pip installs what it signed', async () => {
    await serve([near, far], [wheel]);
    for (const node of [near, far]) {
      await using project = await createClientProject();
      const run = await project.install('pip', node.index, 'raclette');
      assert.equal(run.exit, 0, run.output);
      const imported = await project.run('python', '-c', 'import raclette; print(raclette.__version__)');
      assert.match(imported.output, /1\.0/);
    }
    for (const node of [near, far]) {
      const { voters, refused } = await indexStatus(node);
      assert.deepEqual(refused, {});
      assert.deepEqual(
        voters.map(({ origin, size }) => [origin, size]),
        [
          [a, 1],
          [b, 1],
          [c, 1],
        ],
      );
      const proof = join(near.ready.dataDir, 'raclette.proof');
      const { exit, stderr } = await fondue([
        'index',
        'prove',
        'raclette',
        '--out',
        proof,
        '--data-dir',
        node.ready.dataDir,
      ]);
      assert.equal(exit, 0, stderr);
    }
    await goesOn('second', [near, far]);
    assert.equal((await download(`${far.ready.gateway}/simple/nobody/`)).status, 404, 'absence is proven');
  });

  it('a replayed older checkpoint: nobody is to blame who gossips it, and who answers with it is', async () => {
    await peer('gossiper', [a]);
    await forger.gossip({ peer: 'gossiper', publisher: a, size: 1 });
    await eventually('its refusal', () => blamesFor(near, 'CHECKPOINT_REPLAYED').length > 0);
    assert.deepEqual(blamesFor(near, 'CHECKPOINT_REPLAYED'), [['nobody', idOf('gossiper')]]);
    const { peerId } = await forger.peer({ name: 'replayer', publishers: [a] });
    await forger.behave({ peer: 'replayer', heads: { publisher: a, size: 1 } });
    await forger.dial({ peer: 'replayer', address: near.ready.multiaddrs[0] ?? '' });
    await eventually('that it is to blame', () =>
      blamesFor(near, 'CHECKPOINT_REPLAYED').some(([blame, who]) => blame === 'sender' && who === peerId),
    );
    assert.equal((await indexStatus(near)).refused['CHECKPOINT_REPLAYED'], 3);
    assert.equal(await counted(near, 'CHECKPOINT_REPLAYED', 'sender'), 1);
    assert.deepEqual(await innocent(near), []);
    // A good head is good whoever brings it: the one is asked for what belongs to it, the other is not.
    for (const [name, again] of [
      ['replayer', 'replayed'],
      ['gossiper', 'gossiped'],
    ] as const) {
      await page(again, [wheel, newer]);
      await forger.behave({ peer: hostOf(a), pages: [again], files: [newer.bytes().toString('base64')] });
      const { size } = await forger.sign({ publisher: a, set: [again] });
      await forger.gossip({ peer: name, publisher: a });
      await eventually(`the head that ${name} brought`, () => seqOf(near, a) === size - 1);
    }
    assert.equal(await isAsked('replayer', 'range'), 0);
    assert.equal(await isAsked('gossiper', 'range'), 1);
    assert.ok((await forger.seen({ peer: 'gossiper' })).connections > 0);
    await leave('gossiper', 'replayer');
    await goesOn('after a replay');
  });

  it('a bad signature: rejected, and who sends five of them is left', async () => {
    await peer('forger', [b]);
    for (let flip = 0; flip < 5; flip++) await forger.gossip({ peer: 'forger', publisher: b, flip });
    await eventually(
      'that it was left',
      async () => (await forger.seen({ peer: 'forger' })).connections === 0,
    );
    const blames = blamesFor(near, 'NOTE_BAD_SIGNATURE');
    assert.ok(
      blames.length > 0 && blames.every(([blame, who]) => blame === 'sender' && who === idOf('forger')),
    );
    assert.equal((await indexStatus(near)).refused['NOTE_BAD_SIGNATURE'], blames.length);
    assert.equal(await counted(near, 'NOTE_BAD_SIGNATURE', 'sender'), blames.length);
    // It was not passed on.
    assert.deepEqual(blamesFor(far, 'NOTE_BAD_SIGNATURE'), []);
    await leave('forger');
    await goesOn('after a bad signature');
  });

  it('a delta that does not lead to the signed root: its publisher’s fault, not that of who passes it on', async () => {
    await page('by delta', [wheel, forged]);
    // What is heard on contact first is not passed on by gossip: it signs when the courier is known.
    await peer('courier', [c]);
    await eventually('that the courier is met', async () => (await isAsked('courier', 'heads')) > 0);
    await forger.sign({ publisher: c, set: ['by delta'], forge: 'delta' });
    await forger.gossip({ peer: 'courier', publisher: c });
    await eventually('its refusal', () => blamesFor(near, 'DELTA_WRONG_ROOT').length > 0, round);
    assert.deepEqual(blamesFor(near, 'DELTA_WRONG_ROOT'), [['publisher', undefined]]);
    assert.equal((await indexStatus(near)).refused['DELTA_WRONG_ROOT'], 1);
    assert.equal(await counted(near, 'DELTA_WRONG_ROOT', 'publisher'), 1);
    // What it signed is had whole: it is one vote of three, and changes nothing. `far` may never see that delta.
    for (const node of [near, far]) {
      await eventually('its map', () => seqOf(node, c) === 1, round);
      assert.ok(blamesFor(node, 'DELTA_WRONG_ROOT').every(([blame]) => blame === 'publisher'));
      assert.deepEqual(await innocent(node), []);
    }
    assert.ok((await isAsked('courier', 'range')) > 0);
    await goesOn('after a delta', [near, far]);
    assert.deepEqual(blamesFor(far, 'INTEGRITY'), []);
  });

  it('a map bin that is too large: its publisher’s fault, and its last good map stays', async () => {
    await page('by bin', [wheel, forged]);
    await forger.sign({ publisher: c, set: ['by bin'], forge: 'bin' });
    await forger.gossip({ peer: 'courier', publisher: c });
    await eventually('its refusal', () => blamesFor(near, 'BIN_TOO_LARGE').length > 0, round);
    assert.deepEqual(blamesFor(near, 'BIN_TOO_LARGE'), [['publisher', undefined]]);
    assert.equal((await indexStatus(near)).refused['BIN_TOO_LARGE'], 1);
    assert.equal(await counted(near, 'BIN_TOO_LARGE', 'publisher'), 1);
    assert.equal(await sizeOf(near, c), 3);
    assert.equal(seqOf(near, c), 1);
    for (const node of [near, far]) assert.deepEqual(await innocent(node), []);
    await goesOn('after a bin');
    // It comes back by itself: the courier, who passed the bin on, is asked for the next map.
    await page('good again', [wheel, newer]);
    await forger.sign({ publisher: c, set: ['good again'] });
    const asked = await isAsked('courier', 'range');
    await forger.gossip({ peer: 'courier', publisher: c });
    await eventually('a good map of it', () => seqOf(near, c) === 3, round);
    assert.ok((await isAsked('courier', 'range')) > asked);
  });

  it('a page that does not fit its digest: who sent it is banned, and the page comes from another', async () => {
    const other = makeWheel({ name: 'fonduta' });
    await page('garbled', [other], 'fonduta');
    await peer('garbler');
    await forger.behave({ peer: 'garbler', pages: ['garbled'], garble: ['garbled'] });
    for (const publisher of [a, b]) {
      const { size } = await forger.sign({ publisher, set: ['garbled'] });
      await forger.gossip({ peer: hostOf(publisher), publisher });
      await eventually('its record', () => seqOf(near, publisher) === size - 1);
    }
    let answered = false;
    const waiting = hashes(near, 'fonduta').finally(() => (answered = true));
    await eventually('its ban', async () => (await bannedPeers(near)).includes(idOf('garbler')));
    const { banned } = (await near.status()).network;
    const reasons = banned.flatMap(({ peerId, reason }) => (peerId === idOf('garbler') ? [reason] : []));
    assert.deepEqual(reasons, ['wrong-bytes']);
    assert.equal(answered, false, 'what it sent was served');
    // Whoever asked waits, and has the true page from who comes with it.
    await peer('giver');
    await forger.behave({ peer: 'giver', pages: ['garbled'] });
    assert.deepEqual(await waiting, [other.sha256]);
    await leave('garbler', 'giver');
    await goesOn('after a page');
  });

  it('a record from the future: it waits, and nobody is to blame', async () => {
    await page('of tomorrow', [wheel, forged]);
    await forger.sign({ publisher: c, set: ['of tomorrow'], ahead: 3_600_000 });
    await forger.gossip({ peer: 'courier', publisher: c });
    await eventually('its refusal', () => blamesFor(near, 'RECORD_FROM_FUTURE').length > 0);
    assert.deepEqual(blamesFor(near, 'RECORD_FROM_FUTURE'), [['nobody', undefined]]);
    assert.equal((await indexStatus(near)).refused['RECORD_FROM_FUTURE'], 1);
    assert.equal(await counted(near, 'RECORD_FROM_FUTURE', 'nobody'), 1);
    await goesOn('after the future');
    assert.equal(seqOf(near, c), 3);
  });

  it('a forked log: two heads of one size expose their publisher everywhere, and whoever brought them is left alone', async () => {
    const size = await sizeOf(near, c);
    await forger.fork({ publisher: c, as: 'another c', size });
    await page('one history', [wheel]);
    await page('another history', [wheel, forged]);
    await forger.sign({ publisher: c, set: ['one history'], ahead: 3_600_000 });
    await forger.sign({ publisher: 'another c', set: ['another history'], ahead: 3_600_000 });
    await peer('witness', ['another c']);
    await forger.gossip({ peer: 'courier', publisher: c });
    await eventually('one history', async () => (await sizeOf(near, c)) === size + 1);
    await forger.gossip({ peer: 'witness', publisher: 'another c' });
    for (const node of [near, far]) {
      const status = await eventually(
        'its exposure',
        async () => {
          const now = await indexStatus(node);
          return now.misconduct.length > 0 && now;
        },
        round,
      );
      assert.deepEqual(
        status.misconduct.map(({ origin, kind }) => [origin, kind]),
        [[c, 'fork']],
      );
      assert.deepEqual(
        status.voters.map(({ origin, excluded }) => [origin, excluded]),
        [
          [a, false],
          [b, false],
          [c, true],
        ],
      );
    }
    assert.equal((await indexStatus(near)).refused['LOG_FORKED'], 1);
    assert.equal(await counted(near, 'LOG_FORKED', 'publisher'), 1);
    assert.ok((await forger.seen({ peer: 'witness' })).connections > 0);
    await goesOn('after a fork', [near, far]);
  });

  it('after all of it pip installs through the relay, and no relay was banned or left', async () => {
    await using project = await createClientProject();
    const run = await project.install('pip', far.index, 'raclette==1.0');
    assert.equal(run.exit, 0, run.output);
    assert.deepEqual(await innocent(far), []);
    const senders = refusals(far).filter(({ blame }) => blame === 'sender');
    assert.deepEqual(senders, [], 'near passed on what it could not check, and nothing else');
    assert.ok((await far.status()).network.peers.some(({ peerId }) => peerId === near.ready.peerId));
    for (const name of [...[a, b, c].map(hostOf), 'courier', 'witness'])
      assert.ok((await forger.seen({ peer: name })).connections > 0, `${name} was left`);
  });
});
