import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { createProjectMatcher } from '../../src/core/project-pattern.ts';
import { createProjectList, type ProjectList } from '../../src/mirror/project-list.ts';
import { createMemoryReplaceableFile, type ReplaceableFile } from '../../src/store/replaceable-file.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';
import { fixturePath, fixturesMissing } from '../support/fixtures.ts';
import { failure, timed } from './scripted-upstream.ts';

const JSON_LIST =
  '{"meta":{"api-version":"1.4","_last-serial":7},"projects":[{"name":"Foo.Bar","_last-serial":3},{"name":"acme-tool"},{"name":"zope"}]}';
const HTML_LIST =
  '<!DOCTYPE html><html><body><a href="/simple/foo-bar/">Foo.Bar</a>\n<a href="zope/">zope</a></body></html>';

interface ListNode extends ProjectList {
  clock: FakeClock;
  file: ReplaceableFile;
  upstream: { answer: (signal: AbortSignal | undefined) => unknown; calls: number };
}

interface ListOptions {
  clock?: FakeClock;
  file?: ReplaceableFile;
  offline?: boolean;
  patterns?: string[];
  url?: string;
  listBytes?: number;
}

function createListNode(options: ListOptions = {}): ListNode {
  const clock = options.clock ?? createFakeClock();
  const file = options.file ?? createMemoryReplaceableFile();
  const script: ListNode['upstream'] = { answer: () => list(JSON_LIST), calls: 0 };
  const url = options.url ?? 'https://pypi.test/simple/';
  const lists = createProjectList(
    {
      clock,
      file,
      isPrivate: createProjectMatcher(options.patterns ?? []),
      upstream: {
        async projectList({ signal } = {}) {
          script.calls++;
          return (await script.answer(signal)) as ReturnType<typeof list>;
        },
        status: () => ({
          url,
          state: 'ok',
          lastSuccessAt: undefined,
          lastError: undefined,
          requests: 0,
          notModified: 0,
        }),
      },
    },
    {
      pageTtl: 600_000,
      offline: options.offline ?? false,
      ...(options.listBytes === undefined ? {} : { listBytes: options.listBytes }),
    },
  );
  return { ...lists, clock, file, upstream: script };
}

function list(text: string, format: 'json' | 'html' = 'json') {
  return {
    format,
    url: 'https://pypi.test/simple/',
    body: (async function* () {
      for (let at = 0; at < text.length; at += 40) yield Buffer.from(text.slice(at, at + 40));
    })(),
  };
}

async function textOf(answer: Awaited<ReturnType<ProjectList['projectList']>>): Promise<string> {
  assert.equal(answer.kind, 'list', JSON.stringify(answer));
  let text = '';
  for await (const chunk of answer.body) text += Buffer.from(chunk).toString();
  return text;
}

test('JSON is passed on with all that it says, and kept', async () => {
  const node = createListNode();
  assert.deepEqual(JSON.parse(await textOf(await node.projectList('json'))), JSON.parse(JSON_LIST));
  assert.deepEqual(JSON.parse(await textOf(await node.projectList('json'))), JSON.parse(JSON_LIST));
  assert.equal(node.upstream.calls, 1);
});

test('HTML is made of JSON, with links to normalized names', async () => {
  const node = createListNode();
  const html = await textOf(await node.projectList('html'));
  assert.ok(html.includes('<a href="foo-bar/">Foo.Bar</a>\n<a href="acme-tool/">'), html);
  assert.ok(html.endsWith('</html>\n'));
});

test('JSON is made of HTML', async () => {
  const node = createListNode();
  node.upstream.answer = () => list(HTML_LIST, 'html');
  assert.deepEqual(JSON.parse(await textOf(await node.projectList('json'))), {
    meta: { 'api-version': '1.0' },
    projects: [{ name: 'Foo.Bar' }, { name: 'zope' }],
  });
});

test('private names are not on it', async () => {
  const node = createListNode({ patterns: ['acme-*'] });
  assert.ok(!(await textOf(await node.projectList('html'))).includes('acme'));
});

test('an upstream that fails, hangs, or breaks off leaves the kept list with its age', async () => {
  for (const answer of [
    () => {
      throw failure(503);
    },
    () => list(JSON_LIST.slice(0, -20)),
    () => list('<html>log in</html>', 'html'),
    () => undefined,
    () => new Promise(() => undefined),
  ]) {
    const node = createListNode();
    await textOf(await node.projectList('json'));
    await node.clock.advance(3_600_000);
    node.upstream.answer = answer;
    const waiting = node.projectList('json');
    await node.clock.advance(300);
    const value = await waiting;
    assert.equal(value.kind === 'list' && value.stale, true);
    assert.ok(value.kind === 'list' && value.ageSeconds >= 3600);
    assert.deepEqual(JSON.parse(await textOf(value)), JSON.parse(JSON_LIST));
  }
});

test('a failing upstream is not asked for every client', async () => {
  const node = createListNode();
  await textOf(await node.projectList('json'));
  await node.clock.advance(3_600_000);
  node.upstream.answer = () => {
    throw failure(503);
  };
  for (let i = 0; i < 10; i++) await textOf((await timed(node.clock, node.projectList('json'))).value);
  assert.equal(node.upstream.calls, 2);
  node.upstream.answer = () => list(JSON_LIST);
  await node.clock.advance(31_000);
  const { value } = await timed(node.clock, node.projectList('json'));
  assert.equal(value.kind === 'list' && value.stale, false);
});

test('without a kept list it is waited for, by all clients together, and then unknown', async () => {
  const node = createListNode();
  node.upstream.answer = () => new Promise(() => undefined);
  const both = Promise.all([node.projectList('json'), node.projectList('html', { wait: 5000 })]);
  const { value, ms } = await timed(node.clock, both);
  assert.deepEqual(
    [value[0].kind, value[1].kind, ms, node.upstream.calls],
    ['unknown', 'unknown', 12_000, 1],
  );
});

test('after a restart the kept list is served with its age; offline of any age; of another upstream never', async () => {
  const node = createListNode();
  await textOf(await node.projectList('json'));
  await node.clock.advance(3_600_000);
  const { clock, file } = node;
  const offline = createListNode({ clock, file, offline: true });
  const answer = await offline.projectList('json');
  assert.equal(answer.kind === 'list' && answer.ageSeconds, 3600);
  await textOf(answer);
  assert.equal(offline.upstream.calls, 0);
  const other = createListNode({ clock, file, offline: true, url: 'https://other.test/simple/' });
  assert.equal((await other.projectList('json')).kind, 'unknown');
});

test('a damaged kept list is as none', async () => {
  const file = createMemoryReplaceableFile();
  await file.replace(
    (async function* () {
      yield Buffer.from('not gzip');
    })(),
  );
  const node = createListNode({ file });
  assert.deepEqual(JSON.parse(await textOf(await node.projectList('json'))), JSON.parse(JSON_LIST));
});

test('a kept list without its end is never served as whole', async () => {
  const clock = createFakeClock();
  const file = createMemoryReplaceableFile();
  const facts = { observedAt: clock.now(), upstream: 'https://pypi.test/simple/' };
  await file.replace(
    (async function* () {
      yield gzipSync(`${JSON.stringify(facts)}\n{"name":"a"}\n`);
    })(),
  );
  const node = createListNode({ clock, file, offline: true });
  await assert.rejects(textOf(await node.projectList('json')), /no end/);
});

test('a list beyond the limit is refused', async () => {
  const node = createListNode({ listBytes: JSON_LIST.length - 1 });
  const answer = await node.projectList('json');
  assert.match(answer.kind === 'unknown' ? answer.reason : '', /more than \d+ bytes/);
});

test('the whole index goes through in both forms', { skip: fixturesMissing() }, async () => {
  const names = gunzipSync(readFileSync(fixturePath('project-names.txt.gz')))
    .toString()
    .trim()
    .split('\n');
  const node = createListNode();
  node.upstream.answer = () => ({
    ...list(''),
    body: (async function* () {
      yield Buffer.from('{"meta":{"api-version":"1.4"},"projects":[');
      for (let at = 0; at < names.length; at += 1000) {
        const part = names.slice(at, at + 1000).map((name, i) => `{"_last-serial":${i},"name":"${name}"}`);
        yield Buffer.from((at === 0 ? '' : ',') + part.join(','));
      }
      yield Buffer.from(']}');
    })(),
  });
  const html = await textOf(await node.projectList('html', { wait: 60_000 }));
  assert.equal(html.split('<a href').length - 1, names.length);
});
