import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProvenance } from '../../src/mirror/provenance.ts';
import type { FileAnswer } from '../../src/upstream/upstream.ts';
import { createPageNode, entry, failure, foo, pageAnswer, type PageNode } from './scripted-upstream.ts';

const WHEEL = 'foo-1.0-py3-none-any.whl';

function provenanceNode(
  document: Uint8Array | undefined | (() => never),
  options: { offline?: boolean; provenance?: unknown } = {},
): { node: PageNode; ask: ReturnType<typeof createProvenance>; asked: string[] } {
  const node = createPageNode();
  const asked: string[] = [];
  const { provenance = '/integrity/foo/1.0/x/provenance' } = options;
  node.upstream.answer = () => pageAnswer(node.clock, { files: [entry(WHEEL, 1, { provenance })] });
  const upstream = {
    async file(url: string): Promise<FileAnswer | undefined> {
      asked.push(url);
      const bytes = typeof document === 'function' ? document() : document;
      return (
        bytes && {
          size: bytes.length,
          offset: 0,
          etag: undefined,
          body: (async function* () {
            yield bytes;
          })(),
          async [Symbol.asyncDispose]() {
            await Promise.resolve();
          },
        }
      );
    },
  };
  const deps = { project: (name: typeof foo) => node.project(name), upstream, clock: node.clock };
  return { node, asked, ask: createProvenance(deps, { offline: options.offline ?? false }) };
}

test('the document is passed on from where the page says', async () => {
  const { ask, asked } = provenanceNode(Buffer.from('{}'));
  assert.deepEqual(await ask(foo, '1.0', WHEEL), { kind: 'provenance', body: Buffer.from('{}') });
  assert.deepEqual(asked, ['https://pypi.test/integrity/foo/1.0/x/provenance']);
});

test('a file without one, another version, and a document that is not there are absent', async () => {
  assert.equal((await provenanceNode(undefined).ask(foo, '1.0', WHEEL)).kind, 'absent');
  const { ask, asked } = provenanceNode(Buffer.from('{}'), { provenance: null });
  assert.equal((await ask(foo, '1.0', WHEEL)).kind, 'absent');
  const other = provenanceNode(Buffer.from('{}'));
  assert.equal((await other.ask(foo, '1.1', WHEEL)).kind, 'absent');
  assert.equal((await other.ask(foo, '1.0', 'foo-9.whl')).kind, 'absent');
  assert.deepEqual([asked, other.asked], [[], []]);
});

test('a failing upstream, being offline, and a document without end are unknown', async () => {
  const failing = provenanceNode(() => {
    throw failure(503);
  });
  assert.equal((await failing.ask(foo, '1.0', WHEEL)).kind, 'unknown');
  const offline = provenanceNode(Buffer.from('{}'), { offline: true });
  assert.equal((await offline.ask(foo, '1.0', WHEEL)).kind, 'unknown');
  assert.deepEqual(offline.asked, []);
  const huge = provenanceNode(Buffer.alloc(5 * 1024 * 1024));
  assert.equal((await huge.ask(foo, '1.0', WHEEL)).kind, 'unknown');
});
