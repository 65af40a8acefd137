import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../../src/core/project-page.ts';
import { createProjectJson } from '../../src/mirror/project-json.ts';
import { createPageNode, entry, failure, foo, pageAnswer, sha, type PageShape } from './scripted-upstream.ts';

type Body = {
  info: Record<string, Json>;
  releases?: Record<string, Record<string, Json>[]>;
  urls: Record<string, Json>[];
  last_serial: Json;
  vulnerabilities: Json[];
};

function jsonNode(shape: PageShape): {
  read: (version?: string) => Promise<Body>;
  kind: (version: string) => Promise<string>;
  node: ReturnType<typeof createPageNode>;
} {
  const node = createPageNode();
  node.upstream.answer = () => pageAnswer(node.clock, shape);
  const projectJson = createProjectJson(node);
  return {
    node,
    async read(version) {
      const answer = await projectJson(foo, version);
      assert.equal(answer.kind, 'json');
      return (answer as { body: unknown }).body as Body;
    },
    kind: async (version) => (await projectJson(foo, version)).kind,
  };
}

const files = [
  entry('foo-1.9-py3-none-any.whl', 1),
  entry('foo-1.10.tar.gz', 2, {
    'requires-python': '>=3.9',
    size: 77,
    'upload-time': '2026-01-02T03:04:05.678Z',
  }),
  entry('foo-1.10-py3-none-any.whl', 3),
  entry('foo-2.0-py3-none-any.whl', 4, { yanked: 'broken' }),
  entry('foo-2.1rc1-py3-none-any.whl', 5),
];

test('the latest version is the newest final one that is not yanked', async () => {
  const { read } = jsonNode({ files, serial: 42 });
  const body = await read();
  assert.deepEqual(
    [body.info['version'], body.info['requires_python'], body.info['yanked'], body.last_serial],
    ['1.10', '>=3.9', false, 42],
  );
  assert.deepEqual(Object.keys(body.releases ?? {}), ['1.9', '1.10', '2.0', '2.1rc1']);
  assert.deepEqual(body.vulnerabilities, []);
});

test('files say what the page says of them', async () => {
  const { read } = jsonNode({ files });
  const [sdist, wheel] = (await read('1.10')).urls;
  assert.deepEqual(sdist, {
    filename: 'foo-1.10.tar.gz',
    url: 'https://files.test/packages/aa/bb/2/foo-1.10.tar.gz',
    digests: { sha256: sha(2) },
    md5_digest: null,
    size: 77,
    packagetype: 'sdist',
    python_version: 'source',
    requires_python: '>=3.9',
    upload_time: '2026-01-02T03:04:05',
    upload_time_iso_8601: '2026-01-02T03:04:05.678Z',
    yanked: false,
    yanked_reason: null,
  });
  assert.deepEqual([wheel?.['packagetype'], wheel?.['python_version']], ['bdist_wheel', 'py3']);
});

test('one version is found by any of its spellings and comes without the others', async () => {
  const { read } = jsonNode({ files });
  const body = await read('v2.0.0');
  assert.deepEqual(
    [body.info['version'], body.info['yanked'], body.info['yanked_reason']],
    ['2.0', true, 'broken'],
  );
  assert.equal(body.releases, undefined);
  assert.equal(body.urls.length, 1);
});

test('only pre-releases: the newest of them; only yanked: the newest of them', async () => {
  const pre = jsonNode({
    files: [entry('foo-1.0a1-py3-none-any.whl', 1), entry('foo-1.0b1-py3-none-any.whl', 2)],
  });
  assert.equal((await pre.read()).info['version'], '1.0b1');
  const yanked = jsonNode({ files: [entry('foo-1.0-py3-none-any.whl', 1, { yanked: true })] });
  assert.equal((await yanked.read()).info['version'], '1.0');
});

test('a version that a current page lacks is absent, one that only an old page lacks is unknown', async () => {
  const { kind, node } = jsonNode({ files });
  assert.equal(await kind('3.0'), 'absent');
  await node.clock.advance(3_600_000);
  node.upstream.answer = () => {
    throw failure();
  };
  assert.equal(await kind('3.0'), 'unknown');
});

test('a project without files has an answer too', async () => {
  const { read } = jsonNode({ files: [] });
  const body = await read();
  assert.deepEqual([body.info['version'], body.urls], ['', []]);
});
