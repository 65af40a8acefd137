/** Pages in quorum and offline mode: each rule of design/index about what is served, for how long, and from where. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { readBelievedPage } from '../../../src/mirror/believed/read-believed-page.ts';
import type { ProjectAnswer } from '../../../src/mirror/mirror.ts';
import { createMemoryCatalog } from '../../../src/store/memory-catalog.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import {
  absentAnswer,
  createPageNode,
  entry,
  failure,
  foo,
  hang,
  pageAnswer,
  sha,
  timed,
} from '../scripted-upstream.ts';
import { createBelievedNode, SOURCE, somePage } from './believed-node.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function isPage(answer: ProjectAnswer): asserts answer is ProjectAnswer & { kind: 'page' } {
  assert.equal(answer.kind, 'page', JSON.stringify(answer));
}

const filenames = (answer: ProjectAnswer): string[] => {
  isPage(answer);
  return answer.served.page.files.map(({ filename }) => filename);
};

test('a believed page that the disk holds is served with its serial, its age and links to the file host', async () => {
  const node = createBelievedNode();
  const page = somePage(node.clock, { serial: 7 });
  await node.hold(page);
  node.believe(page, 61_500);
  const answer = await node.project(foo);
  isPage(answer);
  assert.equal(answer.served.serial, '7');
  assert.deepEqual(
    [answer.ageSeconds, answer.freshSeconds, answer.stale, answer.source],
    [62, 538, false, 'disk'],
  );
  const [file] = answer.served.page.files;
  assert.equal(file?.url, 'https://files.test/packages/aa/bb/1/foo-1.0-py3-none-any.whl');
  assert.equal((answer.served.page.raw['meta'] as Record<string, unknown>)['api-version'], '1.4');
  assert.equal(node.peersAsked.length, 0);
});

test('a page that is not here comes from peers, who hear its digest and no name of a project', async () => {
  const node = createBelievedNode();
  const page = somePage(node.clock, { serial: 7 });
  node.believe(page);
  node.peers.set(page.digest, page.bytes);
  const answer = await node.project(foo);
  isPage(answer);
  assert.equal(answer.source, 'peer');
  assert.deepEqual(
    node.peersAsked.map(({ digest, url, private: hidden }) => [digest, url, hidden]),
    [[page.digest, '', false]],
  );
});

test('bytes that do not fit the believed digest are never served, whoever gave them', async () => {
  const node = createBelievedNode({ offline: false });
  const page = somePage(node.clock, { serial: 7 });
  const other = somePage(node.clock, { serial: 7, files: [entry('foo-6.6.tar.gz', 66)] });
  node.believe(page);
  node.peers.set(page.digest, other.bytes);
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 7, files: [entry('foo-6.6.tar.gz', 66)] });
  const { value } = await timed(node.clock, node.project(foo));
  assert.equal(value.kind, 'unknown');
  assert.ok(node.seen.some(({ name }) => name === 'integrity:mismatch'));
  assert.equal(node.store.stat(page.digest), undefined);
});

test('a peer with other bytes costs the page nothing while the upstream has the right ones', async () => {
  const node = createBelievedNode({ offline: false });
  const page = somePage(node.clock, { serial: 7 });
  node.believe(page);
  node.peers.set(page.digest, somePage(node.clock, { serial: 7, files: [] }).bytes);
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 7 });
  const { value } = await timed(node.clock, node.project(foo));
  isPage(value);
  assert.equal(value.source, 'upstream');
});

test('only bytes with the believed digest are read as a page', () => {
  const clock = createFakeClock();
  const page = somePage(clock, { serial: 7 });
  const belief = {
    kind: 'page',
    ...page,
    length: page.bytes.length,
    since: 0,
    apiVersion: null,
    ...SOURCE,
  } as const;
  assert.equal(readBelievedPage(page.bytes, foo, belief, 'disk').files.length, 1);
  const other = somePage(clock, { serial: 7, files: [] });
  assert.throws(() => readBelievedPage(other.bytes, foo, belief, 'disk'), { code: 'INTEGRITY' });
});

test('the upstream gives a page that no peer has, when it is the believed one, and it is kept for peers', async () => {
  const node = createBelievedNode({ offline: false });
  const page = somePage(node.clock, { serial: 7 });
  node.believe(page);
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 7 });
  const { value } = await timed(node.clock, node.project(foo));
  isPage(value);
  assert.equal(value.source, 'upstream');
  await node.clock.advance(0);
  assert.equal(node.store.stat(page.digest)?.visibility, 'public');
});

test('an upstream whose cache has an older page is asked past its cache once', async () => {
  const node = createBelievedNode({ offline: false });
  const page = somePage(node.clock, { serial: 8 });
  node.believe(page);
  node.upstream.answer = ({ noCache }) =>
    noCache
      ? pageAnswer(node.clock, { serial: 8 })
      : pageAnswer(node.clock, { serial: 7, files: [entry('foo-0.9.tar.gz', 9)] });
  const { value } = await timed(node.clock, node.project(foo));
  isPage(value);
  assert.deepEqual(
    node.upstream.calls.map(({ noCache }) => noCache),
    [false, true],
  );
});

test('many clients of one cold page share one flight', async () => {
  const node = createBelievedNode();
  const page = somePage(node.clock, { serial: 7 });
  node.believe(page);
  node.peers.set(page.digest, page.bytes);
  const answers = await Promise.all(Array.from({ length: 20 }, () => node.project(foo)));
  for (const answer of answers) isPage(answer);
  assert.equal(node.peersAsked.length, 1);
});

test('absent is said only when it is believed; unknown is never absent', async () => {
  const node = createBelievedNode();
  assert.equal((await node.project(foo)).kind, 'unknown');
  node.head.put(foo, { kind: 'absent', since: node.clock.now() - 30_000, floor: 0 });
  assert.deepEqual(await node.project(foo), {
    kind: 'absent',
    ageSeconds: 30,
    freshSeconds: 570,
    decides: true,
  });
});

test('a private name is absent at once, and nobody is asked: head, peers or upstream', async () => {
  const node = createBelievedNode({ offline: false, patterns: ['foo*'] });
  const page = somePage(node.clock, { serial: 7 });
  node.believe(page);
  await node.hold(page);
  assert.deepEqual(await node.project(foo), { kind: 'absent', ageSeconds: 0, freshSeconds: 0 });
  assert.equal(await node.kept(foo), undefined);
  assert.equal(node.freshProject?.(foo), undefined);
  assert.deepEqual([node.head.asked, node.peersAsked, node.upstream.calls], [[], [], []]);
});

test('after ten minutes a page is stale and the log is told; after a day it is refused, page and absence', async () => {
  const node = createBelievedNode();
  const page = somePage(node.clock, { serial: 7 });
  await node.hold(page);
  node.believe(page, 10 * MINUTE);
  isPage(await node.project(foo));
  await node.clock.advance(1);
  const aged = await node.project(foo);
  isPage(aged);
  assert.deepEqual([aged.stale, aged.freshSeconds, aged.ageSeconds], [true, 0, 601]);
  assert.equal(node.seen.filter(({ name }) => name === 'index:aged').length, 1);
  await node.clock.advance(24 * HOUR - 10 * MINUTE - 1);
  isPage(await node.project(foo));
  await node.clock.advance(1);
  assert.equal((await node.project(foo)).kind, 'unknown');
  // A refused page is not even fetched.
  const next = somePage(node.clock, { serial: 8 });
  node.believe({ ...next, project: parseProjectName('bar') }, 24 * HOUR + 1);
  assert.equal((await node.project(parseProjectName('bar'))).kind, 'unknown');
  assert.equal(node.peersAsked.length, 0);
  // Its files go on.
  assert.notEqual(await node.kept(foo), undefined);
  node.head.put(foo, { kind: 'absent', since: node.clock.now() - 24 * HOUR - 1, floor: 0 });
  assert.equal((await node.project(foo)).kind, 'unknown');
});

test('who allows old pages gets them, as old as they are', async () => {
  const node = createBelievedNode({ allowOld: true });
  const page = somePage(node.clock, { serial: 7 });
  await node.hold(page);
  node.believe(page, 50 * HOUR);
  const answer = await node.project(foo);
  isPage(answer);
  assert.deepEqual([answer.stale, answer.ageSeconds], [true, 50 * 3600]);
});

test('a clock that is set back makes no page younger, and ages go on', async () => {
  const node = createBelievedNode();
  const page = somePage(node.clock, { serial: 7 });
  await node.hold(page);
  node.believe(page, 60_000);
  isPage(await node.project(foo));
  // The head's own now stands still at the highest it saw.
  const highest = node.clock.now();
  node.head.now = () => highest;
  node.clock.jump(-5 * HOUR);
  for (const expected of [70, 80, 90]) {
    await node.clock.advance(10_000);
    const answer = await node.project(foo);
    isPage(answer);
    assert.equal(answer.ageSeconds, expected);
  }
});

test('the same object is served until something changes, also without waiting', async () => {
  const node = createBelievedNode();
  const page = somePage(node.clock, { serial: 7 });
  await node.hold(page);
  node.believe(page);
  assert.equal(node.freshProject?.(foo), undefined);
  const first = await node.project(foo);
  isPage(first);
  assert.equal(node.freshProject?.(foo)?.served, first.served);
  // A newer head says the same of it.
  node.believe(page);
  assert.equal(node.freshProject?.(foo), undefined);
  const second = await node.project(foo);
  isPage(second);
  assert.equal(second.served, first.served);
  assert.equal(node.freshProject?.(foo)?.served, first.served);
});

test('a removed project is gone from memory with the next head', async () => {
  const node = createBelievedNode();
  const page = somePage(node.clock, { serial: 7 });
  await node.hold(page);
  node.believe(page);
  isPage(await node.project(foo));
  node.head.put(foo, { kind: 'absent', since: node.clock.now(), floor: 0 });
  assert.equal(node.freshProject?.(foo), undefined);
  assert.equal((await node.project(foo)).kind, 'absent');
  assert.equal(await node.kept(foo), undefined);
  assert.equal(node.inUse(foo), false);
});

test('a file that was taken back leaves its page within seconds, and a project all its files', async () => {
  const node = createBelievedNode();
  const files = [entry('foo-1.0.tar.gz', 1), entry('foo-2.0.tar.gz', 2)];
  const page = somePage(node.clock, { serial: 7, files });
  await node.hold(page);
  node.believe(page);
  const before = await node.project(foo);
  assert.deepEqual(filenames(before), ['foo-1.0.tar.gz', 'foo-2.0.tar.gz']);
  node.head.retract(sha(2));
  await node.clock.advance(5000);
  assert.equal(node.freshProject?.(foo), undefined);
  const after = await node.project(foo);
  assert.deepEqual(filenames(after), ['foo-1.0.tar.gz']);
  isPage(before);
  isPage(after);
  assert.notEqual(after.served.version, before.served.version);
  node.head.retract('foo');
  await node.clock.advance(5000);
  const last = await node.project(foo);
  assert.deepEqual(filenames(last), []);
  isPage(last);
  assert.deepEqual(last.served.page.raw['project-status'], { status: 'quarantined' });
});

test('a fresh page decides what there is; an aged one only when it offers nothing at all', async () => {
  const node = createBelievedNode();
  const page = somePage(node.clock, { serial: 7 });
  const empty = somePage(node.clock, { serial: 8, files: [] });
  for (const each of [page, empty]) await node.hold(each);
  const decides = async (): Promise<boolean | undefined> => {
    const answer = await node.project(foo);
    isPage(answer);
    return answer.decides;
  };
  node.believe(page);
  assert.equal(await decides(), true);
  node.believe(page, HOUR);
  assert.equal(await decides(), false);
  node.believe(empty, HOUR);
  assert.equal(await decides(), true);
});

test('the page before stands in, with its own age, for a minute while its successor cannot be had', async () => {
  const node = createBelievedNode();
  const old = somePage(node.clock, { serial: 7 });
  const next = somePage(node.clock, { serial: 8, files: [] });
  await node.hold(old);
  node.believe(old, 20_000);
  isPage(await node.project(foo));
  await node.clock.advance(10_000);
  node.believe(next);
  const first = await timed(node.clock, node.project(foo));
  isPage(first.value);
  assert.deepEqual([first.value.served.serial, first.value.ageSeconds], ['7', 30]);
  await node.clock.advance(59_000);
  assert.equal((await node.kept(foo))?.serial, '7');
  await node.clock.advance(1000);
  assert.equal((await node.project(foo)).kind, 'unknown');
  assert.equal(await node.kept(foo), undefined);
  node.peers.set(next.digest, next.bytes);
  const found = await node.project(foo);
  isPage(found);
  assert.equal(found.served.serial, '8');
});

test('a page that was believed under another policy stands in for nothing, also where it comes in the middle of the change', async () => {
  const node = createBelievedNode();
  const before = somePage(node.clock, { serial: 7 });
  const after = somePage(node.clock, { serial: 8, files: [] });
  await node.hold(before);
  node.believe(before);
  isPage(await node.project(foo));
  assert.ok(node.freshProject(foo));
  node.head.changes++;
  assert.equal(node.freshProject(foo), undefined);
  node.believe(after);
  const { value } = await timed(node.clock, node.project(foo));
  assert.equal(value.kind, 'unknown', 'its successor cannot be had');
  // Believed before the change, read after it.
  node.believe(before);
  const { believe } = node.head;
  node.head.believe = async (...asked) => {
    const belief = await believe(...asked);
    node.head.changes++;
    return belief;
  };
  assert.equal((await timed(node.clock, node.project(foo))).value.kind, 'unknown');
  node.head.believe = believe;
  assert.equal(node.freshProject(foo), undefined, 'nor is it kept');
  isPage(await node.project(foo));
});

test('files that are asked for without their page do not keep a replaced page alive', async () => {
  const node = createBelievedNode();
  const old = somePage(node.clock, { serial: 7 });
  await node.hold(old);
  node.believe(old);
  assert.equal((await node.kept(foo))?.serial, '7');
  node.believe(somePage(node.clock, { serial: 8, files: [] }));
  assert.equal((await node.kept(foo))?.serial, '7');
  await node.clock.advance(MINUTE);
  assert.equal(await node.kept(foo), undefined);
});

test('where publishers do not agree yet, this node reads the page itself and its vote decides', async () => {
  const node = createBelievedNode({ offline: false });
  const page = somePage(node.clock, { serial: 9 });
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 9, age: 2000 });
  node.head.onReading = () => node.believe(page, 2000);
  const { value } = await timed(node.clock, node.project(foo));
  isPage(value);
  assert.equal(value.served.serial, '9');
  const { digest } = page;
  const observedAt = node.clock.now() - 2000;
  const [reading] = node.head.readings;
  assert.deepEqual(reading?.reading, { serial: 9, digest, length: page.bytes.length });
  assert.ok((reading?.observedAt ?? 0) <= observedAt);
});

test("this node's own 404 is a vote, not an answer", async () => {
  const node = createBelievedNode({ offline: false });
  node.upstream.answer = () => absentAnswer(node.clock);
  const { value } = await timed(node.clock, node.project(foo));
  assert.equal(value.kind, 'unknown');
  assert.equal(node.head.readings[0]?.reading, 'absent');
});

test('a fresh page costs the upstream nothing, an aged one a request a minute, and no client more than 300 ms', async () => {
  const node = createBelievedNode({ offline: false });
  const page = somePage(node.clock, { serial: 7 });
  await node.hold(page);
  node.believe(page, 9 * MINUTE);
  isPage(await node.project(foo));
  assert.equal(node.upstream.calls.length, 0);
  node.believe(page, HOUR);
  node.upstream.answer = hang;
  const slow = await timed(node.clock, node.project(foo));
  isPage(slow.value);
  assert.ok(slow.ms <= 400, `${slow.ms} ms`);
  for (let i = 0; i < 5; i++) isPage((await timed(node.clock, node.project(foo))).value);
  assert.equal(node.upstream.calls.length, 1);
  node.upstream.answer = () => {
    throw failure(503);
  };
  await node.clock.advance(2 * MINUTE);
  isPage((await timed(node.clock, node.project(foo))).value);
  assert.equal(node.upstream.calls.length, 2);
});

test('offline, the upstream is never asked', async () => {
  const node = createBelievedNode({ offline: true });
  const page = somePage(node.clock, { serial: 7 });
  node.believe(page, 2 * HOUR);
  await timed(node.clock, node.project(foo, { noCache: true }));
  await node.kept(foo);
  assert.equal(node.upstream.calls.length, 0);
});

test('where the upstream has no serials nothing is said of one', async () => {
  const node = createBelievedNode();
  const page = somePage(node.clock, { serial: 0 });
  await node.hold(page);
  node.believe(page);
  const answer = await node.project(foo);
  isPage(answer);
  assert.equal(answer.served.serial, undefined);
});

test('what its publishers should not have signed is no page', async () => {
  const node = createBelievedNode();
  const bytes = Buffer.from('{"files":[],"meta":{},"name":"bar"}');
  const page = { ...somePage(node.clock, { serial: 7 }), bytes };
  const { createHash } = await import('node:crypto');
  const digest = createHash('sha256').update(bytes).digest('hex') as typeof page.digest;
  node.believe({ ...page, digest });
  node.peers.set(digest, bytes);
  const answer = await node.project(foo);
  assert.equal(answer.kind, 'unknown');
  assert.match(answer.kind === 'unknown' ? answer.reason : '', /name/);
});

test('after direct mode a page that was read there stays until the quorum reaches its serial, at most a day', async () => {
  const clock = createFakeClock();
  const catalog = createMemoryCatalog();
  const direct = createPageNode({ clock, catalog });
  direct.upstream.answer = () => pageAnswer(clock, { serial: 50 });
  isPage((await timed(clock, direct.project(foo))).value);
  await direct[Symbol.asyncDispose]();
  await clock.advance(MINUTE);
  const start = (): ReturnType<typeof createBelievedNode> =>
    createBelievedNode({ clock, catalog, modeSince: clock.now() });

  const node = start();
  const unknown = await node.project(foo);
  isPage(unknown);
  assert.deepEqual([unknown.served.serial, unknown.ageSeconds], ['50', 60]);
  const behind = somePage(clock, { serial: 49, files: [] });
  await node.hold(behind);
  node.believe(behind);
  const before = await node.project(foo);
  isPage(before);
  assert.equal(before.served.serial, '50');
  const reached = somePage(clock, { serial: 50, files: [] });
  await node.hold(reached);
  node.believe(reached);
  assert.deepEqual(filenames(await node.project(foo)), []);
  node.head.put(foo, { kind: 'absent', since: clock.now(), floor: 0 });
  assert.equal((await node.project(foo)).kind, 'absent');

  const late = start();
  await clock.advance(24 * HOUR);
  assert.equal((await late.project(foo)).kind, 'unknown');
});
