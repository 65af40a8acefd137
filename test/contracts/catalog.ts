/** What every catalog does. `makeCatalog` gives a fresh one; the context is disposed at the end of each test. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import type { Digest } from '../../src/core/digest.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import type { Catalog, KeptPage } from '../../src/store/catalog.ts';
import { digestOf } from './blob-store.ts';

export interface CatalogContext extends AsyncDisposable {
  readonly catalog: Catalog;
}

export function keptPage(observedAt: number, body: Uint8Array = randomBytes(200)): KeptPage {
  return {
    kind: 'page',
    body,
    format: 'json',
    url: 'https://pypi.org/simple/flask/',
    etag: '"abc"',
    lastModified: undefined,
    serial: '42',
    observedAt,
    absentSince: undefined,
  };
}

export async function pageOf(catalog: Catalog, name: string): Promise<unknown> {
  const page = await catalog.page(parseProjectName(name));
  return page?.kind === 'page' ? { ...page, body: Buffer.from(page.body).toString('hex') } : page;
}

const asRead = (page: KeptPage): unknown => ({ ...page, body: Buffer.from(page.body).toString('hex') });

async function projects(catalog: Catalog): Promise<[string, number][]> {
  const found: [string, number][] = [];
  for await (const { project, observedAt } of catalog.pages()) found.push([project, observedAt]);
  return found;
}

export function catalogContract(name: string, makeCatalog: () => Promise<CatalogContext>): void {
  describe(`${name} keeps the contract of a catalog`, () => {
    const flask = parseProjectName('Flask');

    it('gives back pages and absences as they were put', async () => {
      await using context = await makeCatalog();
      const { catalog } = context;
      assert.equal(await catalog.page(flask), undefined);
      const page = { ...keptPage(1000), lastModified: 'Sun, 22 Nov 2026 10:00:00 GMT', absentSince: 990 };
      await catalog.putPage(flask, page);
      assert.deepEqual(await pageOf(catalog, 'flask'), asRead(page));
      const newer = { ...keptPage(2000), format: 'html' as const, etag: undefined, serial: undefined };
      await catalog.putPage(flask, newer);
      assert.deepEqual(await pageOf(catalog, 'flask'), asRead(newer));
      await catalog.putPage(flask, { kind: 'absent', observedAt: 3000 });
      assert.deepEqual(await catalog.page(flask), { kind: 'absent', observedAt: 3000 });
      await catalog.putPage(flask, newer);
      assert.deepEqual(await pageOf(catalog, 'flask'), asRead(newer));
      await catalog.deletePage(flask);
      assert.equal(await catalog.page(flask), undefined);
    });

    it('keeps the body when only the facts change, and an empty one', async () => {
      await using context = await makeCatalog();
      const { catalog } = context;
      const page = keptPage(1000);
      await catalog.putPage(flask, page);
      const revalidated = { ...page, observedAt: 2000, etag: '"new"' };
      await catalog.putPage(flask, revalidated);
      assert.deepEqual(await pageOf(catalog, 'flask'), asRead(revalidated));
      const empty = keptPage(3000, new Uint8Array(0));
      await catalog.putPage(flask, empty);
      assert.deepEqual(await pageOf(catalog, 'flask'), asRead(empty));
    });

    it('is not changed by what its callers do to their bytes later', async () => {
      await using context = await makeCatalog();
      const body = randomBytes(100);
      const page = keptPage(1000, body);
      const expected = asRead(page);
      await context.catalog.putPage(flask, page);
      body.fill(0);
      assert.deepEqual(await pageOf(context.catalog, 'flask'), expected);
    });

    it('lists pages by name, without absences, and counts them', async () => {
      await using context = await makeCatalog();
      const { catalog } = context;
      assert.deepEqual(catalog.totals(), { pages: 0, oldestObservedAt: undefined });
      await catalog.putPage(parseProjectName('zope'), keptPage(500));
      await catalog.putPage(parseProjectName('attrs'), keptPage(700));
      await catalog.putPage(parseProjectName('nope'), { kind: 'absent', observedAt: 1 });
      await catalog.putPage(flask, keptPage(600));
      assert.deepEqual(await projects(catalog), [
        ['attrs', 700],
        ['flask', 600],
        ['zope', 500],
      ]);
      assert.deepEqual(catalog.totals(), { pages: 3, oldestObservedAt: 500 });
      await catalog.deletePage(parseProjectName('zope'));
      await catalog.putPage(parseProjectName('attrs'), { kind: 'absent', observedAt: 800 });
      assert.deepEqual(catalog.totals(), { pages: 1, oldestObservedAt: 600 });
    });

    it('never gives a page with the body of another, whoever writes meanwhile', async () => {
      await using context = await makeCatalog();
      const { catalog } = context;
      const write = async (): Promise<void> => {
        for (let i = 0; i < 50; i++) await catalog.putPage(flask, keptPage(i, Buffer.alloc(500, i)));
      };
      const read = async (): Promise<void> => {
        for (let i = 0; i < 50; i++) {
          const page = await catalog.page(flask);
          assert.ok(page?.kind === 'page');
          assert.equal(page.body[0], page.observedAt);
        }
      };
      await catalog.putPage(flask, keptPage(0, Buffer.alloc(500, 0)));
      await Promise.all([write(), read(), read()]);
    });

    it('knows the metadata made for a wheel, and that there is none', async () => {
      await using context = await makeCatalog();
      const { catalog } = context;
      const [wheel, bare, metadata] = ['w', 'b', 'm'].map((text) => digestOf(Buffer.from(text))) as [
        Digest,
        Digest,
        Digest,
      ];
      assert.equal(await catalog.wheelMetadata(wheel), undefined);
      await catalog.putWheelMetadata(wheel, metadata);
      await catalog.putWheelMetadata(bare, 'none');
      assert.equal(await catalog.wheelMetadata(wheel), metadata);
      assert.equal(await catalog.wheelMetadata(bare), 'none');
    });

    it('finds the project of a digest', async () => {
      await using context = await makeCatalog();
      const { catalog } = context;
      const digests = Array.from({ length: 2500 }, (_, i) => digestOf(Buffer.from(`file ${i}`)));
      await catalog.putFileOrigins(
        digests.map((digest, i) => [digest, { project: flask, filename: `flask-${i}.tar.gz` }] as const),
      );
      assert.deepEqual(await catalog.fileOrigin(digests[0]!), {
        project: 'flask',
        filename: 'flask-0.tar.gz',
      });
      assert.deepEqual(await catalog.fileOrigin(digests[2499]!), {
        project: 'flask',
        filename: 'flask-2499.tar.gz',
      });
      assert.equal(await catalog.fileOrigin(digestOf(Buffer.from('other'))), undefined);
    });

    it('lists origins and forgets some, with the metadata made for them', async () => {
      await using context = await makeCatalog();
      const { catalog } = context;
      const digests = Array.from({ length: 2500 }, (_, i) => digestOf(Buffer.from(`file ${i}`)));
      await catalog.putFileOrigins(
        digests.map((digest) => [digest, { project: flask, filename: 'f' }] as const),
      );
      const all = async (): Promise<Set<Digest>> => {
        const found = new Set<Digest>();
        for await (const batch of catalog.fileOrigins())
          for (const [digest, origin] of batch) {
            assert.deepEqual(origin, { project: 'flask', filename: 'f' });
            found.add(digest);
          }
        return found;
      };
      assert.deepEqual(await all(), new Set(digests));
      const [first, last] = [digests[0]!, digests[2499]!];
      for (const digest of [first, last]) await catalog.putWheelMetadata(digest, 'none');
      await catalog.deleteFileOrigins(digests.slice(0, 2400));
      assert.deepEqual(await all(), new Set(digests.slice(2400)));
      assert.equal(await catalog.fileOrigin(first), undefined);
      assert.deepEqual(
        [await catalog.wheelMetadata(first), await catalog.wheelMetadata(last)],
        [undefined, 'none'],
      );
      await catalog.deleteFileOrigins([]);
    });

    it('forgets old absences, and never a page that came after one', async () => {
      await using context = await makeCatalog();
      const { catalog } = context;
      const [old, young] = [parseProjectName('old'), parseProjectName('young')];
      await catalog.putPage(old, { kind: 'absent', observedAt: 999 });
      await catalog.putPage(young, { kind: 'absent', observedAt: 1000 });
      await catalog.putPage(flask, { kind: 'absent', observedAt: 1 });
      const page = keptPage(1);
      await Promise.all([catalog.deleteAbsences(1000), catalog.putPage(flask, page)]);
      assert.equal(await catalog.page(old), undefined);
      assert.equal((await catalog.page(young))?.kind, 'absent');
      assert.deepEqual(await pageOf(catalog, 'flask'), asRead(page));
    });

    it('keeps small documents of other parts apart', async () => {
      await using context = await makeCatalog();
      const { catalog } = context;
      assert.equal(await catalog.document('network', 'bans'), undefined);
      const bans = [{ peerId: 'a', until: 5 }];
      await catalog.putDocument('network', 'bans', bans);
      bans[0]!.until = 6;
      await catalog.putDocument('network', 'peers', ['x']);
      await catalog.putDocument('net', 'workbans', null);
      assert.deepEqual(await catalog.document('network', 'bans'), [{ peerId: 'a', until: 5 }]);
      assert.deepEqual(await catalog.document('network', 'peers'), ['x']);
      assert.equal(await catalog.document('net', 'workbans'), null);
      await catalog.putDocument('network', 'bans', undefined);
      assert.equal(await catalog.document('network', 'bans'), undefined);
    });
  });
}
