import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProjectName } from '../../src/core/project-name.ts';
import type { ProjectAnswer } from '../../src/mirror/mirror.ts';
import type { Catalog } from '../../src/store/catalog.ts';
import { createMemoryCatalog } from '../../src/store/memory-catalog.ts';
import {
  absentAnswer,
  createPageNode,
  createScriptedPages,
  entry,
  failure,
  foo,
  hang,
  pageAnswer,
  timed,
  type PageNode,
} from './scripted-upstream.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function page(answer: ProjectAnswer): ProjectAnswer & { kind: 'page' } {
  assert.equal(answer.kind, 'page', JSON.stringify(answer));
  return answer;
}

/** A node that has seen foo's page (serial 10) just now. */
async function warmNode(options: Parameters<typeof createPageNode>[0] = {}): Promise<PageNode> {
  return warm(createPageNode(options));
}

async function warm(node: PageNode): Promise<PageNode> {
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 10, etag: '"ten"' });
  page(await node.project(foo));
  return node;
}

test('a page within its time to live is served without the network', async () => {
  const node = await warmNode();
  await node.clock.advance(9 * MINUTE);
  const answer = page(await node.project(foo));
  assert.equal(node.upstream.calls.length, 1);
  assert.deepEqual(
    [answer.ageSeconds, answer.freshSeconds, answer.stale, answer.source],
    [540, 60, false, 'disk'],
  );
});

test('a page is given before the catalog has it; closing waits until it does', async () => {
  const node = createPageNode({ cacheBytes: 1 });
  const stored = Promise.withResolvers<void>();
  const put = node.catalog.putPage.bind(node.catalog);
  node.catalog.putPage = async (...given) => {
    await stored.promise;
    return put(...given);
  };
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 10 });
  page(await node.project(foo));
  assert.equal(await node.catalog.page(foo), undefined);
  page(await node.project(foo));
  assert.equal(
    node.upstream.calls.length,
    1,
    'what is being written is known, also when memory has no room for it',
  );
  let closed = false;
  const closing = node[Symbol.asyncDispose]().then(() => (closed = true));
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(closed, false);
  stored.resolve();
  await closing;
  assert.equal((await node.catalog.page(foo))?.kind, 'page');
});

test('a page confirmed before the catalog has it is as fresh there', async () => {
  const node = createPageNode();
  const stored = Promise.withResolvers<void>();
  const put = node.catalog.putPage.bind(node.catalog);
  node.catalog.putPage = async (...given) => {
    await stored.promise;
    return put(...given);
  };
  await warm(node);
  await node.clock.advance(11 * MINUTE);
  const confirmedAt = node.clock.now();
  node.upstream.answer = () => ({ kind: 'not-modified', observedAt: confirmedAt, serial: '10' });
  const asked = node.project(foo);
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  stored.resolve();
  page(await asked);
  await node[Symbol.asyncDispose]();
  const kept = await node.catalog.page(foo);
  assert.equal(kept?.observedAt, confirmedAt);
});

test('a page past its time is asked for with its validators and served anew', async () => {
  const node = await warmNode();
  await node.clock.advance(11 * MINUTE);
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 11 });
  const answer = page(await node.project(foo));
  assert.equal(answer.served.serial, '11');
  assert.equal(answer.source, 'upstream');
  assert.equal(answer.stale, false);
  assert.equal(node.upstream.calls[1]?.validators?.etag, '"ten"');
});

test('304 makes the kept page fresh again and keeps its identity', async () => {
  const node = await warmNode();
  const before = page(await node.project(foo)).served;
  await node.clock.advance(11 * MINUTE);
  node.upstream.answer = () => ({
    kind: 'not-modified',
    observedAt: node.clock.now(),
    serial: undefined,
  });
  const answer = page(await node.project(foo));
  assert.equal(answer.served, before);
  assert.deepEqual([answer.ageSeconds, answer.stale], [0, false]);
  await node.clock.advance(MINUTE);
  assert.equal(page(await node.project(foo)).ageSeconds, 60);
  assert.equal(node.upstream.calls.length, 2);
});

test('an upstream without validators that sends the same bytes again does not change the page', async () => {
  const node = await warmNode();
  const before = page(await node.project(foo)).served;
  await node.clock.advance(11 * MINUTE);
  const answer = page(await node.project(foo));
  assert.equal(answer.served, before);
  assert.equal(answer.ageSeconds, 0);
  assert.deepEqual(
    node.seen.filter(({ name }) => name === 'page:refreshed').map(({ fact }) => fact),
    [
      { project: foo, changed: true },
      { project: foo, changed: false },
    ],
  );
});

test('an upstream that hangs costs a client with a kept page 300 ms once, and then nothing', async () => {
  const node = await warmNode();
  await node.clock.advance(11 * MINUTE);
  node.upstream.answer = hang;
  const first = await timed(node.clock, node.project(foo));
  assert.equal(first.ms, 300);
  assert.deepEqual([page(first.value).stale, page(first.value).ageSeconds], [true, 661]);
  const second = await timed(node.clock, node.project(foo));
  assert.equal(second.ms, 0);
  assert.equal(page(second.value).freshSeconds, 0);
  assert.equal(node.seen.filter(({ name }) => name === 'page:stale-served').length, 2);
});

test('a hanging upstream that was seen hanging for one page costs the clients of others nothing', async () => {
  const node = createPageNode();
  const bar = parseProjectName('bar');
  node.upstream.answer = ({ project }) => pageAnswer(node.clock, { name: project });
  await node.project(foo);
  await node.project(bar);
  await node.clock.advance(11 * MINUTE);
  node.upstream.answer = hang;
  await timed(node.clock, node.project(foo));
  assert.equal((await timed(node.clock, node.project(bar))).ms, 0);
});

test('a revalidation goes on behind the client that got the kept page', async () => {
  const node = await warmNode();
  await node.clock.advance(11 * MINUTE);
  const gate = Promise.withResolvers<void>();
  node.upstream.answer = async () => {
    await gate.promise;
    return pageAnswer(node.clock, { serial: 11 });
  };
  const first = await timed(node.clock, node.project(foo));
  assert.equal(page(first.value).served.serial, '10');
  gate.resolve();
  await node.clock.advance(0);
  const second = page(await node.project(foo));
  assert.deepEqual([second.served.serial, second.stale], ['11', false]);
  assert.equal(node.upstream.calls.length, 2);
});

for (const [what, fail] of [
  ['refuses connections', () => failure()],
  ['answers 503', () => failure(503)],
  ['answers 403', () => failure(403)],
  ['answers with the wrong type', () => failure(200)],
] as const) {
  test(`an upstream that ${what} leaves the kept page served at once with its age`, async () => {
    const node = await warmNode();
    await node.clock.advance(2 * HOUR);
    node.upstream.answer = () => {
      throw fail();
    };
    const { value, ms } = await timed(node.clock, node.project(foo));
    assert.equal(ms, 0);
    assert.deepEqual([page(value).stale, page(value).ageSeconds, page(value).source], [true, 7200, 'disk']);
  });
}

test('a serial that is no number is none: it would become a header', async () => {
  const node = createPageNode();
  for (const serial of ['1\r\nSet-Cookie: a=b', '\u2460', '', -1, 1.5]) {
    node.upstream.answer = () => pageAnswer(node.clock, { serial });
    assert.equal(page(await node.project(foo, { noCache: true })).served.serial, undefined, String(serial));
  }
  node.upstream.answer = () => pageAnswer(node.clock, { serial: '12' });
  assert.equal(page(await node.project(foo, { noCache: true })).served.serial, '12');
});

test('a page that cannot be read never replaces a good one', async () => {
  const node = await warmNode();
  await node.clock.advance(11 * MINUTE);
  node.upstream.answer = () => pageAnswer(node.clock, { body: '{"files": [' });
  assert.equal(page(await node.project(foo)).served.serial, '10');
  assert.equal((await node.catalog.page(foo))?.kind, 'page');
});

test('a failing upstream is asked little and its recovery is noticed', async () => {
  const node = await warmNode();
  await node.clock.advance(11 * MINUTE);
  node.upstream.answer = () => {
    throw failure(503);
  };
  await node.project(foo);
  await node.clock.advance(5000);
  const asked = node.upstream.calls.length;
  for (let i = 0; i < 100; i++) await node.project(foo);
  assert.ok(
    node.upstream.calls.length - asked <= 1,
    `${node.upstream.calls.length - asked} requests for 100 clients`,
  );
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 11 });
  await node.clock.advance(5000);
  await node.project(foo);
  await node.clock.advance(0);
  assert.equal(page(await node.project(foo)).served.serial, '11');
  assert.equal(node.upstreamTroubled(), false);
});

test('a request that hangs is made once more within the wait, and the page comes', async () => {
  const node = createPageNode();
  node.upstream.answer = (call, signal) =>
    node.upstream.calls.length === 1 ? hang(call, signal) : pageAnswer(node.clock, { serial: 1 });
  const waiting = node.project(foo);
  await node.clock.advance(9000);
  assert.equal(page(await waiting).served.serial, '1');
  assert.equal(node.upstream.calls.length, 2);
});

test('probes of a hanging upstream are few', async () => {
  const node = createPageNode();
  const names = Array.from({ length: 50 }, (_, i) => parseProjectName(`p${i}`));
  node.upstream.answer = ({ project }) => pageAnswer(node.clock, { name: project });
  for (const name of names) await node.project(name);
  await node.clock.advance(11 * MINUTE);
  node.upstream.calls.length = 0;
  node.upstream.answer = hang;
  for (const name of names) await timed(node.clock, node.project(name));
  await node.clock.advance(3000);
  for (const name of names) await timed(node.clock, node.project(name));
  assert.ok(node.upstream.calls.length <= 5, `${node.upstream.calls.length} requests`);
});

test('no-cache waits 3 s for a hanging upstream and then gets the kept page', async () => {
  const node = await warmNode();
  node.upstream.answer = hang;
  const { value, ms } = await timed(node.clock, node.project(foo, { noCache: true }));
  assert.equal(ms, 3000);
  assert.equal(page(value).served.serial, '10');
  assert.equal(node.upstream.calls[1]?.noCache, true);
});

test('no-cache gets the new page within the time to live, also when the first try fails', async () => {
  const node = await warmNode();
  let tries = 0;
  node.upstream.answer = () => {
    if (++tries === 1) throw failure(503);
    return pageAnswer(node.clock, { serial: 11 });
  };
  const { value } = await timed(node.clock, node.project(foo, { noCache: true }));
  assert.equal(page(value).served.serial, '11');
});

for (const [what, fail] of [
  ['503 twice', () => failure(503)],
  ['a reset twice', () => failure()],
  ['503 with Retry-After twice', () => failure(503, 3000)],
] as const) {
  test(`a page that comes after ${what} is served to a client that waits`, async () => {
    const node = createPageNode();
    let tries = 0;
    node.upstream.answer = () => {
      if (++tries <= 2) throw fail();
      return pageAnswer(node.clock);
    };
    const { value } = await timed(node.clock, node.project(foo));
    assert.equal(page(value).source, 'upstream');
  });
}

test('Retry-After is kept to between tries', async () => {
  const node = createPageNode();
  const times: number[] = [];
  node.upstream.answer = () => {
    times.push(node.clock.monotonic());
    if (times.length === 1) throw failure(503, 3000);
    return pageAnswer(node.clock);
  };
  await timed(node.clock, node.project(foo));
  assert.deepEqual(times, [0, 3000]);
});

test('what is not kept is waited for 12 s, or as long as the client can, and is then unknown', async () => {
  const node = createPageNode();
  node.upstream.answer = hang;
  const first = await timed(node.clock, node.project(foo));
  assert.deepEqual([first.value.kind, first.ms], ['unknown', 12_000]);
  const second = await timed(node.clock, node.project(foo, { wait: 25_000 }));
  assert.deepEqual([second.value.kind, second.ms], ['unknown', 25_000]);
  assert.equal(node.upstream.calls.length, 2, 'the request and its second try');
});

test('a persistent refusal of a page that is not kept is unknown, never absent', async () => {
  const node = createPageNode();
  node.upstream.answer = () => {
    throw failure(403);
  };
  const { value } = await timed(node.clock, node.project(foo));
  assert.equal(value.kind, 'unknown');
});

test('clients of one name share one request, and it outlives them', async () => {
  const node = createPageNode();
  const gate = Promise.withResolvers<void>();
  node.upstream.answer = async () => {
    await gate.promise;
    return pageAnswer(node.clock);
  };
  const leaving = new AbortController();
  const waits = Array.from({ length: 10 }, () => node.project(foo, { signal: leaving.signal }));
  await node.clock.advance(0);
  leaving.abort(new Error('left'));
  for (const wait of waits) await assert.rejects(wait, /left/);
  gate.resolve();
  await node.clock.advance(0);
  assert.equal(page(await node.project(foo)).source, 'disk');
  assert.equal(node.upstream.calls.length, 1);
});

test('who still waits for the catalog when the upstream has answered another needs no request of its own', async () => {
  const memory = createMemoryCatalog();
  const gate = Promise.withResolvers<void>();
  let looks = 0;
  const catalog: Catalog = {
    ...memory,
    async page(project) {
      if (++looks === 2) await gate.promise;
      return memory.page(project);
    },
  };
  const node = createPageNode({ catalog });
  const reply = Promise.withResolvers<void>();
  node.upstream.answer = async () => {
    await reply.promise;
    return pageAnswer(node.clock, { serial: 10 });
  };
  const first = node.project(foo);
  await node.clock.advance(10);
  assert.equal(node.upstream.calls.length, 1);
  const second = node.project(foo, { noCache: true });
  await node.clock.advance(10);
  reply.resolve();
  page(await first);
  gate.resolve();
  assert.equal(page(await second).source, 'upstream');
  assert.equal(node.upstream.calls.length, 1);
  await node.clock.advance(10);
  page(await node.project(foo, { noCache: true }));
  assert.equal(node.upstream.calls.length, 2);
});

test('a request ends with its own limit of 60 s', async () => {
  const node = createPageNode();
  let aborted = false;
  node.upstream.answer = (call, signal) => {
    signal?.addEventListener('abort', () => (aborted = true));
    return hang(call, signal);
  };
  await timed(node.clock, node.project(foo));
  await node.clock.advance(47_000);
  assert.equal(aborted, false);
  await node.clock.advance(2000);
  assert.equal(aborted, true);
});

test('pages being fetched are bounded in number', async () => {
  const node = createPageNode();
  node.upstream.answer = hang;
  const waits = Array.from({ length: 1100 }, (_, i) => node.project(parseProjectName(`p${i}`)));
  await node.clock.advance(0);
  assert.equal(node.upstream.calls.length, 1024);
  await node.clock.advance(12_000);
  assert.ok((await Promise.all(waits)).every(({ kind }) => kind === 'unknown'));
});

test('404 for a name never seen is absent, and repeated within the time to live', async () => {
  const node = createPageNode();
  node.upstream.answer = () => absentAnswer(node.clock);
  assert.equal((await node.project(foo)).kind, 'absent');
  await node.clock.advance(9 * MINUTE);
  assert.equal((await node.project(foo)).kind, 'absent');
  assert.equal(node.upstream.calls.length, 1);
  await node.clock.advance(2 * MINUTE);
  node.upstream.answer = () => pageAnswer(node.clock);
  assert.equal((await node.project(foo)).kind, 'page');
});

test('an absence is repeated for 24 h without the upstream, and is then unknown', async () => {
  const node = createPageNode();
  node.upstream.answer = () => absentAnswer(node.clock);
  await node.project(foo);
  node.upstream.answer = () => {
    throw failure();
  };
  await node.clock.advance(23 * HOUR);
  assert.equal((await timed(node.clock, node.project(foo))).value.kind, 'absent');
  await node.clock.advance(2 * HOUR);
  assert.equal((await timed(node.clock, node.project(foo))).value.kind, 'unknown');
});

test('404 over a kept page is believed only when read again a minute later', async () => {
  const node = await warmNode();
  await node.clock.advance(11 * MINUTE);
  node.upstream.answer = () => absentAnswer(node.clock);
  const first = page(await node.project(foo));
  assert.deepEqual([first.stale, first.served.serial], [true, '10']);
  await node.clock.advance(59_000);
  assert.equal((await node.project(foo, { noCache: true })).kind, 'page');
  await node.clock.advance(2000);
  assert.equal((await node.project(foo)).kind, 'absent');
});

test('a cached 404 read twice does not confirm itself', async () => {
  const node = await warmNode();
  await node.clock.advance(11 * MINUTE);
  node.upstream.answer = () => absentAnswer(node.clock);
  await node.project(foo);
  await node.clock.advance(90_000);
  node.upstream.answer = () => absentAnswer(node.clock, 90_000);
  assert.equal((await node.project(foo)).kind, 'page');
});

test('404 once is forgotten when the page comes again', async () => {
  const node = await warmNode();
  await node.clock.advance(11 * MINUTE);
  node.upstream.answer = () => absentAnswer(node.clock);
  await node.project(foo);
  await node.clock.advance(2 * MINUTE);
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 10, etag: '"ten"' });
  assert.equal(page(await node.project(foo)).stale, false);
  await node.clock.advance(11 * MINUTE);
  node.upstream.answer = () => absentAnswer(node.clock);
  assert.equal((await node.project(foo)).kind, 'page');
});

test('a doubted 404 survives a restart', async () => {
  const node = await warmNode();
  await node.clock.advance(11 * MINUTE);
  node.upstream.answer = () => absentAnswer(node.clock);
  await node.project(foo);
  const again = createPageNode({ clock: node.clock, catalog: node.catalog });
  again.upstream.answer = () => absentAnswer(node.clock);
  await node.clock.advance(61_000);
  assert.equal((await again.project(foo)).kind, 'absent');
});

test('an older serial is not taken over the kept page, across restarts too', async () => {
  const node = await warmNode();
  await node.clock.advance(11 * MINUTE);
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 9, files: [] });
  assert.equal(page(await node.project(foo)).served.serial, '10');
  const again = createPageNode({ clock: node.clock, catalog: node.catalog });
  again.upstream.answer = node.upstream.answer;
  await node.clock.advance(2 * HOUR);
  assert.equal(page(await again.project(foo)).served.serial, '10');
});

test('an older serial that is answered for two days on end is the upstream going back, and is taken', async () => {
  const node = await warmNode();
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 9 });
  const served: (string | undefined)[] = [];
  for (let hours = 0; hours < 50; hours += 7) {
    await node.clock.advance(7 * HOUR);
    served.push(page(await node.project(foo)).served.serial);
  }
  assert.deepEqual(served, ['10', '10', '10', '10', '10', '10', '10', '9']);
});

test('HTML without files over a page with files is believed only when read again a minute later', async () => {
  const node = await warmNode();
  await node.clock.advance(11 * MINUTE);
  const body =
    '<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.0"></head><body></body></html>';
  node.upstream.answer = () => pageAnswer(node.clock, { format: 'html', body });
  assert.equal(page(await node.project(foo)).served.page.files.length, 1);
  await node.clock.advance(61_000);
  assert.equal(page(await node.project(foo)).served.page.files.length, 0);
});

test('JSON without files (a quarantine) counts at once', async () => {
  const node = await warmNode();
  await node.clock.advance(11 * MINUTE);
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 11, files: [] });
  assert.equal(page(await node.project(foo)).served.page.files.length, 0);
});

test('the age includes that of the answer, and freshness counts from our own asking', async () => {
  const node = createPageNode();
  node.upstream.answer = () => pageAnswer(node.clock, { age: HOUR });
  const answer = page(await node.project(foo));
  assert.deepEqual([answer.ageSeconds, answer.stale, answer.freshSeconds], [3600, false, 600]);
});

test('an answer from the future has age 0, not less', async () => {
  const node = createPageNode();
  node.upstream.answer = () => pageAnswer(node.clock, { age: -HOUR });
  assert.equal(page(await node.project(foo)).ageSeconds, 0);
  await node.clock.advance(MINUTE);
  assert.equal(page(await node.project(foo)).ageSeconds, 60);
});

test('a clock that is set back never makes a page younger', async () => {
  const node = await warmNode();
  await node.clock.advance(5 * MINUTE);
  assert.equal(page(await node.project(foo)).ageSeconds, 300);
  node.clock.jump(-3 * HOUR);
  assert.equal(page(await node.project(foo)).ageSeconds, 300);
  await node.clock.advance(2 * MINUTE);
  assert.equal(page(await node.project(foo)).ageSeconds, 420);
});

test('a clock that was set back while the node was off makes a page neither young nor fresh', async () => {
  const node = await warmNode();
  const bar = parseProjectName('bar');
  await node.clock.advance(2 * HOUR);
  node.upstream.answer = () => pageAnswer(node.clock, { name: 'bar' });
  await node.project(bar);
  node.clock.jump(-5 * HOUR);
  const again = createPageNode({ clock: node.clock, catalog: node.catalog });
  again.upstream.answer = () => {
    throw failure();
  };
  const answer = page(await again.project(foo));
  assert.ok(answer.ageSeconds >= 7200, `${answer.ageSeconds}`);
  assert.equal(answer.stale, true);
});

test('after a restart the kept page is served with its true age while the upstream is down', async () => {
  const node = await warmNode();
  await node.clock.advance(HOUR);
  const again = createPageNode({ clock: node.clock, catalog: node.catalog });
  again.upstream.answer = () => {
    throw failure();
  };
  const answer = page(await again.project(foo));
  assert.deepEqual([answer.ageSeconds, answer.stale], [3600, true]);
  assert.equal(answer.served.version, page(await node.project(foo)).served.version);
});

test('a kept page that cannot be read counts as not kept', async () => {
  const node = createPageNode();
  await node.catalog.putPage(foo, {
    kind: 'page',
    body: Buffer.from('{"half": '),
    format: 'json',
    url: 'https://pypi.test/simple/foo/',
    etag: '"x"',
    lastModified: undefined,
    serial: '10',
    observedAt: node.clock.now(),
    absentSince: undefined,
  });
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 3 });
  const answer = page(await node.project(foo));
  assert.equal(answer.served.serial, '3');
  assert.equal(node.upstream.calls[0]?.validators?.etag, undefined);
});

test('what another upstream gave is not served', async () => {
  const node = await warmNode();
  const upstream = createScriptedPages({ url: 'https://other.test/simple/' });
  const other = createPageNode({ clock: node.clock, catalog: node.catalog, upstream });
  upstream.answer = () => absentAnswer(node.clock);
  assert.equal((await other.project(foo)).kind, 'absent');
});

test('offline, kept pages of any age are served and the rest is unknown; nothing is asked', async () => {
  const node = await warmNode();
  await node.clock.advance(1000 * HOUR);
  const offline = createPageNode({ clock: node.clock, catalog: node.catalog, offline: true });
  const answer = page(await offline.project(foo, { noCache: true }));
  assert.deepEqual([answer.stale, answer.ageSeconds], [true, 3_600_000]);
  const { value, ms } = await timed(node.clock, offline.project(parseProjectName('bar')));
  assert.deepEqual([value.kind, ms], ['unknown', 0]);
  assert.equal(await offline.kept(parseProjectName('bar')), undefined);
  assert.equal(offline.upstream.calls.length, 0);
});

test('a private name is absent at once and nothing leaves for it', async () => {
  const node = createPageNode({ patterns: ['acme-*'] });
  const answer = await node.project(parseProjectName('acme_Tool'), { noCache: true });
  assert.equal(answer.kind, 'absent');
  assert.equal(await node.kept(parseProjectName('acme-tool')), undefined);
  assert.equal(node.upstream.calls.length, 0);
});

test('origins of files are noted, and only the new ones when the page changes', async () => {
  const node = createPageNode();
  const batches: number[] = [];
  const put = node.catalog.putFileOrigins.bind(node.catalog);
  node.catalog.putFileOrigins = async (origins) => {
    const list = [...origins];
    batches.push(list.length);
    await put(list);
  };
  const files = Array.from({ length: 1200 }, (_, i) => entry(`foo-1.${i}-py3-none-any.whl`, i + 1));
  node.upstream.answer = () => pageAnswer(node.clock, { files });
  const served = page(await node.project(foo)).served;
  await node.settled();
  assert.deepEqual(batches, [500, 500, 200]);
  const digest = served.page.files[0]?.sha256;
  assert.ok(digest);
  assert.deepEqual(await node.catalog.fileOrigin(digest), {
    project: foo,
    filename: 'foo-1.0-py3-none-any.whl',
  });
  await node.clock.advance(11 * MINUTE);
  files.push(entry('foo-2.0-py3-none-any.whl', 9999));
  await node.project(foo);
  await node.settled();
  assert.deepEqual(batches, [500, 500, 200, 1]);
});

test('files of an upstream with credentials are marked private, after a restart again', async () => {
  const upstream = createScriptedPages({ private: true });
  const node = await warmNode({ upstream });
  await node.settled();
  assert.deepEqual([...node.visibility.values()], ['private']);
  const again = createPageNode({ clock: node.clock, catalog: node.catalog, upstream });
  await again.project(foo);
  await again.settled();
  assert.deepEqual([...again.visibility.values()], ['private']);
});

test('a catalog that cannot be written costs nothing but the memory of it', async () => {
  const node = createPageNode({ cacheBytes: 1 });
  node.catalog.putPage = async () => {
    throw new Error('ENOSPC');
  };
  node.upstream.answer = () => pageAnswer(node.clock);
  assert.equal(page(await node.project(foo)).source, 'upstream');
  assert.ok(node.seen.some(({ name }) => name === 'storage:full'));
});

test('a catalog that cannot be read costs what it knows, not the page', { timeout: 10_000 }, async () => {
  const node = createPageNode();
  const broken = () => Promise.reject(new Error('EIO'));
  Object.assign(node.catalog, { page: broken, document: broken });
  node.upstream.answer = () => pageAnswer(node.clock, { serial: 10 });
  assert.equal(page(await node.project(foo)).served.serial, '10');
});

test('a page that the catalog missed is not confirmed there with the bytes of the one before', async () => {
  const node = await warmNode();
  const put = node.catalog.putPage.bind(node.catalog);
  node.catalog.putPage = () => Promise.reject(new Error('no space left'));
  await node.clock.advance(11 * MINUTE);
  node.upstream.answer = () =>
    pageAnswer(node.clock, { serial: 11, etag: '"eleven"', files: [entry('foo-2.0.tar.gz', 2)] });
  assert.equal(page(await node.project(foo)).served.serial, '11');
  await node.settled();
  node.catalog.putPage = put;
  for (const answer of [
    () => ({ kind: 'not-modified' as const, observedAt: node.clock.now(), serial: '11' }),
    () => absentAnswer(node.clock),
  ]) {
    await node.clock.advance(11 * MINUTE);
    node.upstream.answer = answer;
    assert.equal(page(await node.project(foo)).served.serial, '11');
    await node.settled();
  }
  const kept = await node.catalog.page(foo);
  assert.ok(kept?.kind === 'page');
  assert.equal(kept.etag, '"ten"', 'the old page with its own validators, so that the new one is asked for');
  assert.ok(node.clock.now() - kept.observedAt >= 33 * MINUTE, 'and with its own time');
});

test('memory for pages is bounded; one that fell out comes from the catalog', async () => {
  const node = createPageNode({ cacheBytes: 20_000 });
  node.upstream.answer = ({ project }) => pageAnswer(node.clock, { name: project });
  const names = Array.from({ length: 40 }, (_, i) => parseProjectName(`p${i}`));
  const first = page(await node.project(names[0] as typeof foo)).served;
  for (const name of names) await node.project(name);
  const again = page(await node.project(names[0] as typeof foo)).served;
  assert.notEqual(again, first);
  assert.equal(again.version, first.version);
  assert.equal(node.upstream.calls.length, 40);
});

test('closing ends the requests under way', async () => {
  const node = createPageNode();
  node.upstream.answer = hang;
  const waiting = node.project(foo);
  await node.clock.advance(0);
  await node[Symbol.asyncDispose]();
  assert.equal((await waiting).kind, 'unknown');
});
