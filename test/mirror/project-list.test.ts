import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib';
import { createProjectMatcher } from '../../src/core/project-pattern.ts';
import { createProjectList, type ProjectList } from '../../src/mirror/project-list.ts';
import { createMemoryReplaceableFile, type ReplaceableFile } from '../../src/store/replaceable-file.ts';
import { systemRandomness } from '../../src/system-clock.ts';
import { eventually } from '../support/eventually.ts';
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
  fileFor?: (form: string) => ReplaceableFile;
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
      fileFor: options.fileFor ?? createMemoryReplaceableFile,
      randomness: systemRandomness,
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

test('a list that came out of a cache is as old as the cache says', async () => {
  const node = createListNode();
  node.upstream.answer = () => ({ ...list(JSON_LIST), observedAt: node.clock.now() - 3_600_000 });
  const answer = await node.projectList('json');
  assert.equal(answer.kind === 'list' && answer.ageSeconds, 3600);
  await textOf(answer);
});

test('an age from the future makes a list no younger than now', async () => {
  const node = createListNode();
  node.upstream.answer = () => ({ ...list(JSON_LIST), observedAt: node.clock.now() + 3_600_000 });
  const answer = await node.projectList('json');
  assert.equal(answer.kind === 'list' && answer.ageSeconds, 0);
  await textOf(answer);
  await node.clock.advance(5000);
  const later = await node.projectList('json');
  assert.equal(later.kind === 'list' && later.ageSeconds, 5);
  await textOf(later);
});

/** Counts how often the file is written and how many of its readers are open. */
function watched(file: ReplaceableFile = createMemoryReplaceableFile()) {
  const watch = { writes: 0, open: 0 };
  async function* counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* chunks;
    } finally {
      watch.open--;
    }
  }
  const read: ReplaceableFile['read'] = async () => {
    const chunks = await file.read();
    if (chunks !== undefined) watch.open++;
    return chunks && counted(chunks);
  };
  const replace: ReplaceableFile['replace'] = (chunks) => (watch.writes++, file.replace(chunks));
  return { watch, file: { read, replace } };
}

const unpack = { gzip: gunzipSync, zstd: zstdDecompressSync };

async function unpacked(
  answer: Awaited<ReturnType<ProjectList['projectList']>>,
  coding: 'gzip' | 'zstd',
): Promise<string> {
  assert.ok(answer.kind === 'list' && answer.coding === coding, JSON.stringify(answer));
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body) chunks.push(chunk);
  return unpack[coding](Buffer.concat(chunks)).toString();
}

test('each compressed form holds what the plain one holds, and is made once a list for all clients, restarts too', async () => {
  const forms = new Map<string, ReturnType<typeof watched>>();
  const fileFor = (form: string): ReplaceableFile => {
    const one = forms.get(form) ?? watched();
    forms.set(form, one);
    return one.file;
  };
  const node = createListNode({ fileFor });
  for (const format of ['json', 'html'] as const) {
    const plain = await textOf(await node.projectList(format));
    for (const coding of ['gzip', 'zstd'] as const) {
      const answers = [1, 2, 3].map(() => node.projectList(format, { coding }));
      for (const answer of await Promise.all(answers)) assert.equal(await unpacked(answer, coding), plain);
    }
  }
  const { clock, file } = node;
  const again = createListNode({ clock, file, fileFor });
  assert.deepEqual(
    JSON.parse(await unpacked(await again.projectList('json', { coding: 'gzip' }), 'gzip')),
    JSON.parse(JSON_LIST),
  );
  assert.deepEqual(
    [...forms].map(([form, { watch }]) => [form, watch.writes, watch.open]),
    ['json-gzip', 'json-zstd', 'html-gzip', 'html-zstd'].map((form) => [form, 1, 0]),
  );
});

test('a new list has another version, and no form of the one before is given for it', async () => {
  const node = createListNode();
  const first = await node.projectList('json', { coding: 'gzip' });
  await unpacked(first, 'gzip');
  node.upstream.answer = () => list('{"meta":{"api-version":"1.4"},"projects":[{"name":"new"}]}');
  await node.clock.advance(601_000);
  const second = await node.projectList('json', { coding: 'gzip' });
  assert.match(await unpacked(second, 'gzip'), /"new"/);
  const [one, two] = [first, second].map((answer) => (answer.kind === 'list' ? answer.version : ''));
  assert.notEqual(one, two);
});

test('a form that cannot be written is tried once a list, and the list comes as it is', async () => {
  let tries = 0;
  const fileFor = (): ReplaceableFile => ({
    read: async () => undefined,
    async replace(chunks) {
      for await (const _ of chunks) break;
      tries++;
      throw new Error('the disk is full');
    },
  });
  const node = createListNode({ fileFor });
  for (let i = 0; i < 3; i++) {
    const answer = await node.projectList('json', { coding: 'zstd' });
    assert.equal(answer.kind === 'list' && answer.coding, 'identity');
    assert.deepEqual(JSON.parse(await textOf(answer)), JSON.parse(JSON_LIST));
  }
  assert.equal(tries, 1);
});

test('a client waits for a compressed form no longer than it can; a damaged one is as none', async () => {
  const { promise: written, resolve: write } = Promise.withResolvers<void>();
  const memory = createMemoryReplaceableFile();
  await memory.replace(Readable.from([Buffer.from('some other list\nnot gzip')]));
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const replace: ReplaceableFile['replace'] = async (chunks) => {
    begin();
    await written;
    await memory.replace(chunks);
  };
  const node = createListNode({ fileFor: () => ({ read: memory.read, replace }) });
  await textOf(await node.projectList('json'));
  const waiting = node.projectList('json', { coding: 'gzip', wait: 2000 });
  await begun;
  await node.clock.advance(1999);
  assert.equal(await Promise.race([waiting, Promise.resolve('still waiting')]), 'still waiting');
  await node.clock.advance(1);
  const value = await waiting;
  assert.equal(value.kind === 'list' && value.coding, 'identity');
  assert.deepEqual(JSON.parse(await textOf(value)), JSON.parse(JSON_LIST));
  write();
  await unpacked(await node.projectList('json', { coding: 'gzip' }), 'gzip');
});

test('an answer that nobody reads leaves no file open', async () => {
  const [kept, form] = [watched(), watched()];
  const node = createListNode({ file: kept.file, fileFor: () => form.file });
  // Too much to be read ahead whole.
  const names = Array.from({ length: 20_000 }, (_, i) =>
    createHash('sha256').update(String(i)).digest('hex'),
  );
  const long = JSON.stringify({ meta: {}, projects: names.map((name) => ({ name })) });
  node.upstream.answer = () => ({ ...list(''), body: Readable.from([Buffer.from(long)]) });
  for (const coding of ['identity', 'gzip'] as const) {
    const answer = await node.projectList('json', { coding });
    assert.ok(answer.kind === 'list');
    assert.equal(kept.watch.open + form.watch.open, 1);
    await answer.body.return(undefined);
    await eventually('the file is closed', () => kept.watch.open + form.watch.open === 0);
  }
});

test('closing ends the making of a form', async () => {
  const node = createListNode();
  await textOf(await node.projectList('json'));
  void node.projectList('json', { coding: 'gzip' });
  await node[Symbol.asyncDispose]();
  const answer = await node.projectList('json', { coding: 'zstd' });
  assert.equal(answer.kind === 'list' && answer.coding, 'identity');
  await textOf(answer);
});

test('a failing upstream is not asked for every client', async () => {
  const node = createListNode();
  await textOf(await node.projectList('json'));
  await node.clock.advance(3_600_000);
  node.upstream.answer = () => {
    throw failure(503);
  };
  // The clock stands: no answer waits for the time.
  for (let i = 0; i < 10; i++) await textOf(await node.projectList('json'));
  assert.equal(node.upstream.calls, 2);
  node.upstream.answer = () => list(JSON_LIST);
  await node.clock.advance(31_000);
  const value = await node.projectList('json');
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
  const facts = { observedAt: clock.now(), upstream: 'https://pypi.test/simple/', version: 'v' };
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

test('where the list cannot be kept its transfer is ended, although nobody began to read it', async () => {
  const file: ReplaceableFile = {
    read: async () => undefined,
    replace: () => Promise.reject(new Error('EACCES: permission denied')),
  };
  const node = createListNode({ file });
  let asked: AbortSignal | undefined;
  node.upstream.answer = (signal) => {
    asked = signal;
    return list(JSON_LIST);
  };
  assert.equal((await node.projectList('json')).kind, 'unknown');
  assert.equal(asked?.aborted, true);
});
