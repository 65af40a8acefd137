/** What every upstream does, however it reaches its index. `make` opens one over an index that holds `content`. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { UpstreamError } from '../../src/core/errors.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';

export interface UpstreamContext extends AsyncDisposable {
  readonly upstream: Upstream;
  /** Of the one file of the project `thing`. */
  readonly file: { readonly url: string; readonly sha256: string; readonly size: number };
  /** From now on nothing answers. */
  goAway(): Promise<void>;
}

const thing = parseProjectName('thing');
const nobody = parseProjectName('nobody');

async function read(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export function upstreamContract(name: string, make: () => Promise<UpstreamContext>): void {
  describe(`upstream contract: ${name}`, () => {
    it('gives a page with its URL and when it was so', async () => {
      await using context = await make();
      const before = Date.now();
      const page = await context.upstream.page(thing);
      assert.equal(page.kind, 'page');
      assert.equal(page.kind === 'page' && page.url, context.upstream.pageUrl(thing));
      assert.ok(page.observedAt <= Date.now() && page.observedAt >= before - 1000);
      assert.match(context.upstream.pageUrl(thing), /\/thing\/$/);
    });

    it('says absent of a project that the index does not have', async () => {
      await using context = await make();
      assert.equal((await context.upstream.page(nobody)).kind, 'absent');
    });

    it('says not-modified of a page that it gave with a validator', async () => {
      await using context = await make();
      const first = await context.upstream.page(thing);
      assert.ok(first.kind === 'page' && (first.etag !== undefined || first.lastModified !== undefined));
      const validators = { etag: first.etag, lastModified: first.lastModified };
      assert.equal((await context.upstream.page(thing, { validators })).kind, 'not-modified');
      assert.equal(context.upstream.status().notModified, 1);
    });

    it('lists the projects', async () => {
      await using context = await make();
      const list = await context.upstream.projectList();
      assert.ok(list);
      assert.match((await read(list.body)).toString(), /\bthing\b/);
    });

    it('gives a file whole, from an offset, in the middle, and its end', async () => {
      await using context = await make();
      const { url, size } = context.file;
      const whole = await context.upstream.file(url);
      assert.ok(whole && whole.offset === 0 && whole.size === size);
      const bytes = await read(whole.body);
      assert.equal(sha256(bytes), context.file.sha256);
      for (const [request, start, end] of [
        [{ offset: 1000 }, 1000, size],
        [{ offset: 10, length: 20 }, 10, 30],
        [{ suffix: 100 }, size - 100, size],
        [{ offset: 10, etag: whole.etag }, 10, size],
      ] as const) {
        await using part = await context.upstream.file(url, request);
        assert.ok(part);
        assert.equal(part.offset, start);
        assert.equal(part.size, size);
        assert.deepEqual(await read(part.body), bytes.subarray(start, end));
      }
    });

    it('tells the size of a file without its body', async () => {
      await using context = await make();
      const info = await context.upstream.fileInfo(context.file.url);
      assert.equal(info?.size, context.file.size);
      assert.equal(info?.ranges, true);
    });

    it('gives nothing for a file that is not there', async () => {
      await using context = await make();
      const url = new URL('/packages/00/00/nothing-1.0.tar.gz', context.file.url).href;
      assert.equal(await context.upstream.file(url), undefined);
      assert.equal(await context.upstream.fileInfo(url), undefined);
    });

    it('says ok after an answer and unreachable when none comes', async () => {
      await using context = await make();
      await context.upstream.page(thing);
      assert.equal(context.upstream.status().state, 'ok');
      assert.ok(context.upstream.status().lastSuccessAt);
      await context.goAway();
      const { upstream, file } = context;
      await Promise.all([
        assert.rejects(upstream.page(thing), UpstreamError),
        assert.rejects(upstream.page(nobody), UpstreamError),
        assert.rejects(upstream.file(file.url), UpstreamError),
        assert.rejects(upstream.fileInfo(file.url), UpstreamError),
        assert.rejects(upstream.projectList(), UpstreamError),
      ]);
      assert.equal(context.upstream.status().state, 'unreachable');
      assert.ok(context.upstream.status().lastError);
    });

    it("rejects with the signal's reason when the caller has gone", async () => {
      await using context = await make();
      const signal = AbortSignal.abort(new Error('gone'));
      await assert.rejects(context.upstream.page(thing, { signal }), /^Error: gone$/);
      await assert.rejects(context.upstream.file(context.file.url, { signal }), /^Error: gone$/);
    });

    it('answers nothing once it is closed, and may be closed twice', async () => {
      await using context = await make();
      await context.upstream[Symbol.asyncDispose]();
      await context.upstream[Symbol.asyncDispose]();
      await assert.rejects(context.upstream.page(thing), UpstreamError);
    });
  });
}
