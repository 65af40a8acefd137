/**
 * What operators decide, with the commands that they have: a publisher takes a project back, changes its key, or says that a list really
 * lost names; whoever follows overrides, is told of another upstream, and forgets a wrong clock. All are separate
 * processes; nothing of what is judged is imported from `src/`.
 */
import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { download, jsonPage } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { type FakePypi, startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { makeWheel } from '../support/fake-pypi/wheel.ts';
import { fondue, type NodeProcess, startNode } from '../support/node-process.ts';
import { type PublisherGroup, startPublisherGroup } from '../support/publisher-group.ts';
import { startPublisher } from '../support/publisher-process.ts';

const interval = 2;
const DAY = 24 * 60 * 60 * 1000;
const cheese = makeWheel({ name: 'fonduta' });
const evil = makeWheel({ name: 'evil' });

interface Status {
  readonly ready: boolean;
  readonly clock: string;
  readonly excluded: number;
  readonly alarms: readonly string[];
  readonly voters: readonly {
    readonly name: string;
    readonly size: number;
    readonly noVote?: string;
    readonly successor?: string;
  }[];
}

async function command(...args: string[]): Promise<string> {
  const run = await fondue(args);
  assert.equal(run.exit, 0, `fondue ${args.join(' ')}: ${run.stdout}${run.stderr}`);
  return run.stdout.trim();
}

async function statusOf({ ready }: NodeProcess): Promise<Status> {
  const { stdout } = await fondue(['index', 'status', '--json', '--data-dir', ready.dataDir]);
  return JSON.parse(stdout) as Status;
}

/** Files on the page, or the status where there is none. */
async function look(
  node: NodeProcess,
  project: string,
): Promise<{ status: number; files: number; age: number }> {
  const { status, body, headers } = await download(`${node.index}${project}/`, { headers: jsonPage });
  const files = status === 200 ? (JSON.parse(body.toString()) as { files: unknown[] }).files.length : -1;
  return { status, files, age: Number(headers['fondue-index-age']) };
}

describe('operators of publishers and followers', () => {
  let stack: AsyncDisposableStack;
  let folder: string;
  let pypi: FakePypi;
  let group: PublisherGroup;
  let policy: string;

  const follow = async (
    name: string,
    more: Partial<Parameters<typeof startNode>[0]> = {},
  ): Promise<NodeProcess> =>
    stack.use(
      await startNode({
        upstream: pypi.url,
        dataDir: join(folder, name),
        ...more,
        args: [
          '--no-mdns',
          '--mode',
          'offline',
          '--policy',
          policy,
          ...group.bootstrap(),
          ...(more.args ?? []),
        ],
      }),
    );
  const offers = (node: NodeProcess, project: string, files: number): Promise<unknown> =>
    eventually(
      `${files} files of ${project}`,
      async () => (await look(node, project)).files === files,
      20_000,
    );

  before(async () => {
    stack = new AsyncDisposableStack();
    folder = stack.use(await temporaryFolder()).path;
    pypi = stack.use(await startFakePypi({ files: [cheese, evil] }));
    group = await startPublisherGroup({
      folder,
      upstream: pypi.url,
      names: ['one', 'two'],
      threshold: 2,
      projects: ['fonduta', 'evil'],
      interval,
    });
    stack.use(group);
    policy = group.policy;
  });
  after(() => stack.disposeAsync());

  it('one publisher takes a project back, and the operator of a follower overrides it', async () => {
    const one = group.member('one');
    const at = ['--data-dir', one.dataDir];
    const node = await follow('retracting');
    await offers(node, 'evil', 1);
    const said = await command('publish', 'retract', 'Evil', '--reason', 'steals tokens', ...at);
    assert.match(said, /^evil is taken back in record \d+ \(1 of 32\)$/);
    await offers(node, 'evil', 0);
    await offers(node, 'fonduta', 1);
    const told = await command('index', 'show', 'evil', '--data-dir', node.ready.dataDir);
    assert.match(told, /one\.example took it back.*steals tokens\n.*fondue trust override evil/s);
    assert.match(await command('publish', 'retractions', ...at), /evil .*steals tokens/);

    const why = ['--reason', 'a false alarm'];
    const overrides = await fondue([
      'trust',
      'override',
      'evil',
      '--policy',
      policy,
      ...why,
      '--data-dir',
      node.ready.dataDir,
    ]);
    assert.equal(overrides.exit, 0, overrides.stderr);
    assert.match(overrides.stderr, /the node that runs \(pid \d+\) lives by it now/);
    assert.match(await readFile(policy, 'utf8'), /^#fondue override evil a false alarm$/m);
    assert.equal((await look(node, 'evil')).files, 1, 'at once');
    await node.stop();
    const again = await follow('retracting');
    await offers(again, 'evil', 1);
    // Of this one it is not told: it looks by itself.
    await command('trust', 'override', 'evil', '--undo', '--policy', policy);
    await offers(again, 'evil', 0);
    assert.match(await command('publish', 'unretract', 'evil', ...at), /evil is offered again/);
    await offers(again, 'evil', 1);
    await again.stop();
    const none = await fondue(['publish', 'unretract', 'evil', ...at]);
    assert.equal(none.exit, 1);
    assert.match(none.stderr, /is not retracted/);
  });

  it('a policy that changes counts while the node runs, and one that is broken changes nothing', async () => {
    const own = join(folder, 'own-policy');
    await copyFile(policy, own);
    const node = await follow('repolicied', { args: ['--policy', own] });
    const at = ['--policy', own, '--data-dir', node.ready.dataDir];
    await offers(node, 'fonduta', 1);
    await command('trust', 'threshold', '1', ...at);
    const removed = await fondue(['trust', 'remove', 'two.example', ...at]);
    assert.match(removed.stderr, /lives by it now/);
    const { voters, ready } = await statusOf(node);
    assert.deepEqual([voters.map(({ name }) => name), ready], [['one.example'], true]);
    assert.equal((await look(node, 'fonduta')).files, 1, 'what it had signed is here');
    const good = await readFile(own, 'utf8');
    await writeFile(own, good.slice(0, -10));
    const shown = await eventually('the complaint', async () => {
      const { stdout } = await fondue(['index', 'status', '--data-dir', node.ready.dataDir]);
      return stdout.includes('AS BEFORE') && stdout;
    });
    assert.match(shown, /own-policy, line \d+: .*\n/);
    assert.match(node.stderr(), /the policy stays as it was: .*own-policy, line \d+/);
    assert.equal((await look(node, 'fonduta')).files, 1);
    await writeFile(own, 'quorum none\n');
    await eventually('nobody is believed', async () => (await look(node, 'fonduta')).status === 503);
    const other = await fondue([
      'trust',
      'threshold',
      '2',
      '--policy',
      policy,
      '--data-dir',
      node.ready.dataDir,
    ]);
    assert.match(other.stderr, /lives by another policy, .*own-policy: this changes nothing for it/);
    await node.stop();
  });

  it('a follower of another upstream than its publishers says so, and which one to start with', async () => {
    const elsewhere = 'http://127.0.0.1:9/simple/';
    const node = await follow('elsewhere', { upstream: elsewhere });
    const status = await eventually('the alarm', async () => {
      const now = await statusOf(node);
      return (
        now.alarms.some((alarm) => alarm.includes('--upstream')) &&
        now.voters.every(({ noVote }) => noVote) &&
        now
      );
    });
    assert.equal(status.ready, false);
    assert.ok(
      status.alarms.some((alarm) => alarm.endsWith(`start with --upstream ${pypi.url}`)),
      status.alarms.join(),
    );
    const shown = await fondue(['index', 'status', '--data-dir', node.ready.dataDir]);
    assert.equal(shown.exit, 1);
    assert.match(
      shown.stdout,
      /publisher .*NO VOTE: it speaks of .*, and this node asks for http:\/\/127\.0\.0\.1:9/,
    );
    assert.match(node.stderr(), /start with --upstream/);
    const { status: answered } = await look(node, 'fonduta');
    assert.equal(answered, 503);
    await node.stop();
  });

  it('a publisher changes its key: followers carry over, and the policy may name either', async () => {
    const one = group.member('one');
    const node = await follow('rotating');
    await offers(node, 'fonduta', 1);
    const nextFile = join(folder, 'next.key');
    const next = await command('key', 'rotate', one.key, '--out', nextFile);
    assert.match(next, /^one\.example\+/);
    await one.stop();
    await one.start([group.member('two').address], ['--next-key', nextFile]);
    await eventually('the new key', async () =>
      (await statusOf(node)).voters.some(({ successor }) => successor === next),
    );
    const shown = await command('index', 'status', '--data-dir', node.ready.dataDir);
    assert.ok(shown.includes(`fondue trust replace one.example ${next}`), shown);
    // To forget it would make its word worthless, to name another one would prove misconduct.
    await one.stop();
    const alone = await fondue([
      'publish',
      '--key',
      one.key,
      '--data-dir',
      one.dataDir,
      '--upstream',
      pypi.url,
      '--gateway',
      '127.0.0.1:0',
      '--listen',
      'none',
    ]);
    assert.equal(alone.exit, 2, alone.stderr);
    assert.match(alone.stderr, /has named .* as its next key/);
    await one.start([group.member('two').address], ['--next-key', nextFile]);
    const added = makeWheel({ name: 'fonduta', version: '9.0' });
    pypi.addFile(added);
    await offers(node, 'fonduta', 2);
    await node.stop();
    await command('trust', 'replace', 'one.example', next, '--policy', policy);
    const renewed = await follow('rotating');
    await offers(renewed, 'fonduta', 2);
    const { voters, excluded } = await statusOf(renewed);
    assert.deepEqual([excluded, voters.length], [0, 2]);
    await renewed.stop();
  });

  it('a clock that was a day ahead makes everything old, until its operator says that it was wrong', async () => {
    const preload = new URL('../support/clock-ahead-child.ts', import.meta.url).href;
    const ahead = await follow('clock', {
      env: { NODE_OPTIONS: `--import ${preload}`, CLOCK_AHEAD_MS: String(2 * DAY) },
    });
    await eventually('two maps', async () => (await statusOf(ahead)).ready);
    await ahead.stop();
    const node = await follow('clock');
    const old = await eventually('an answer', async () => {
      const { status, clock } = { ...(await look(node, 'fonduta')), clock: (await statusOf(node)).clock };
      return clock === 'set-back' && { status };
    });
    assert.equal(old.status, 503, 'two days old, as far as it knows');
    const shown = await fondue(['index', 'status', '--data-dir', node.ready.dataDir]);
    assert.match(shown.stdout, /fondue index reset-clock/);
    assert.match(
      await command('index', 'reset-clock', '--data-dir', node.ready.dataDir),
      /ages are counted from/,
    );
    const page = await look(node, 'fonduta');
    assert.equal(page.status, 200);
    assert.ok(page.age < 600, `${page.age} s`);
    await node.stop();
  });

  it('a list that really lost names is believed when the operator says so', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `loss${i}`);
    await using shop = await startFakePypi({ files: names.map((name) => makeWheel({ name })) });
    const key = join(folder, 'loss.key');
    await command('key', 'new', '--name', 'loss.example', '--out', key);
    const dataDir = join(folder, 'loss');
    await using publisher = startPublisher({
      upstream: shop.url,
      dataDir,
      key,
      args: ['--no-mdns', '--interval', '1s'],
    });
    await publisher.event('all', ({ complete, names: count }) => complete === true && count === 20, 30_000);
    const nothing = await fondue(['publish', 'accept-loss', '--data-dir', dataDir]);
    assert.equal(nothing.exit, 1);
    assert.match(nothing.stderr, /no list of projects is refused/);
    for (const name of names.slice(5)) shop.removeProject(name);
    await eventually('the refusal', () =>
      /lost 15 of 20 names.*fondue publish accept-loss/.test(publisher.stderr()),
    );
    assert.match(
      await command('publish', 'accept-loss', '--data-dir', dataDir),
      /lost 15 of 20 names is believed, once/,
    );
    await publisher.event('what is left', ({ names: count }) => count === 5, 30_000);
  });
});
