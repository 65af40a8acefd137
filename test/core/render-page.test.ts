import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseProjectName } from '../../src/core/project-name.ts';
import type { Json, ProjectFile, ProjectPage } from '../../src/core/project-page.ts';
import { readPageHtml } from '../../src/core/read-page-html.ts';
import { readPageJson } from '../../src/core/read-page-json.ts';
import { renderHtml, renderJson } from '../../src/core/render-page.ts';
import type { PageLinks } from '../../src/core/render-page.ts';
import { fixturePage, fixturePath, fixturesMissing } from '../support/fixtures.ts';

const url = 'https://mirror.example/simple/flask/';
const project = parseProjectName('flask');
const sha256 = 'a'.repeat(64);

/** Links where they led, marks as they were: what is rendered reads back as what it was. */
const same: PageLinks = {
  fileHref: (file) => file.url,
  coreMetadata: (file) => (file.coreMetadata === false ? undefined : file.coreMetadata),
};
const gateway: PageLinks = {
  fileHref: (file) => `../../files/${file.sha256}/${encodeURIComponent(file.filename)}`,
  coreMetadata: () => true,
};

const page = (body: object): ProjectPage =>
  readPageJson(Buffer.from(JSON.stringify({ name: 'flask', files: [], ...body })), { url, project });
const json = (page: ProjectPage, links: PageLinks): Record<string, never> =>
  JSON.parse(Buffer.from(renderJson(page, links)).toString()) as Record<string, never>;
const html = (page: ProjectPage, links: PageLinks): string => Buffer.from(renderHtml(page, links)).toString();
const wheel = {
  filename: 'flask-3.0-py3-none-any.whl',
  url: '/files/flask-3.0-py3-none-any.whl',
  hashes: { sha256 },
};

test('JSON keeps what it does not know, at every level, and the API version of its source', () => {
  const rendered = json(
    page({
      meta: { 'api-version': '1.4', '_last-serial': '7', 'x-meta': [1] },
      versions: ['3.0'],
      'project-status': { status: 'archived' },
      'x-page': { y: null },
      files: [
        { ...wheel, size: 3, 'upload-time': '2026-01-01T00:00:00Z', yanked: false, 'x-file': { z: 1 } },
      ],
    }),
    gateway,
  );
  assert.deepEqual(rendered, {
    name: 'flask',
    meta: { 'api-version': '1.4', '_last-serial': '7', 'x-meta': [1] },
    versions: ['3.0'],
    'project-status': { status: 'archived' },
    'x-page': { y: null },
    files: [
      {
        ...wheel,
        url: `../../files/${sha256}/flask-3.0-py3-none-any.whl`,
        size: 3,
        'upload-time': '2026-01-01T00:00:00Z',
        yanked: false,
        'x-file': { z: 1 },
        'core-metadata': true,
      },
    ],
  });
});

test('JSON never has an older name of core-metadata, or gpg-sig, and core-metadata only as it was decided', () => {
  const source = page({
    files: [
      {
        ...wheel,
        'dist-info-metadata': { sha256 },
        'data-dist-info-metadata': { sha256 },
        'core-metadata': { sha256 },
        'gpg-sig': true,
      },
    ],
  });
  const file = (coreMetadata: PageLinks['coreMetadata']): object =>
    json(source, { ...gateway, coreMetadata })['files']?.[0] ?? assert.fail();
  assert.deepEqual(Object.keys(file(() => undefined)), ['filename', 'url', 'hashes']);
  assert.deepEqual(Object.keys(file(() => true)), ['filename', 'url', 'hashes', 'core-metadata']);
});

test('a page without an API version, and one made of HTML, call themselves 1.0', () => {
  assert.equal(json(page({}), same)['meta']?.['api-version'], '1.0');
  const source = readPageHtml(
    Buffer.from(
      `<meta name="pypi:repository-version" content="1.3"><a href="flask-1.zip#md5=${'b'.repeat(32)}">`,
    ),
    { url, project },
  );
  assert.deepEqual(json(source, same), {
    meta: { 'api-version': '1.0' },
    name: 'flask',
    files: [
      { filename: 'flask-1.zip', url: `${url}flask-1.zip`, hashes: { md5: 'b'.repeat(32) }, yanked: false },
    ],
  });
});

test('hashes that stood in a fragment are told as hashes', () => {
  const source = page({ files: [{ filename: 'flask-1.zip', url: `f#sha256=${sha256}`, hashes: {} }] });
  assert.deepEqual(json(source, same)['files']?.[0]?.['hashes'], { sha256 });
});

test('provenance is made absolute, or led where the caller wants it', () => {
  const source = page({
    files: [
      { ...wheel, provenance: '/integrity/flask' },
      { ...wheel, filename: 'flask-1.zip' },
    ],
  });
  const of = (links: PageLinks): unknown[] =>
    (json(source, links)['files'] as unknown as { provenance?: string }[]).map((file) => file.provenance);
  assert.deepEqual(of(same), ['https://mirror.example/integrity/flask', undefined]);
  assert.deepEqual(of({ ...same, provenance: (file) => `/p/${file.filename}` }), [
    `/p/${wheel.filename}`,
    undefined,
  ]);
  assert.deepEqual(of({ ...same, provenance: () => undefined }), [
    'https://mirror.example/integrity/flask',
    undefined,
  ]);
  assert.ok(html(source, same).includes(' data-provenance="https://mirror.example/integrity/flask"'));
});

test('HTML has what PEPs 503, 592, 629, 658, 708, 714 and 792 put there', () => {
  const rendered = html(
    page({
      meta: { 'api-version': '1.4', tracks: ['https://pypi.org/simple/flask/'] },
      'alternate-locations': ['https://other.example/flask/'],
      'project-status': { status: 'quarantined', reason: 'the "project" is <haunted>' },
      files: [{ ...wheel, 'requires-python': '>=3.8,<4', yanked: 'bad "one"' }],
    }),
    { ...gateway, coreMetadata: () => ({ sha256 }) },
  );
  for (const part of [
    '<meta name="pypi:repository-version" content="1.4">',
    '<meta name="pypi:tracks" content="https://pypi.org/simple/flask/">',
    '<meta name="pypi:alternate-locations" content="https://other.example/flask/">',
    '<meta name="pypi:project-status" content="quarantined">',
    '<meta name="pypi:project-status-reason" content="the &quot;project&quot; is &lt;haunted&gt;">',
    '<title>Links for flask</title>',
    `<a href="../../files/${sha256}/${wheel.filename}#sha256=${sha256}" data-requires-python="&gt;=3.8,&lt;4"`,
    ` data-core-metadata="sha256=${sha256}" data-dist-info-metadata="sha256=${sha256}"`,
    ' data-yanked="bad &quot;one&quot;"',
    `>${wheel.filename}</a>`,
  ])
    assert.ok(rendered.includes(part), `${part}\n${rendered}`);
  assert.ok(!rendered.includes('data-gpg-sig'));
});

const unmarked = (file: object): string =>
  html(page({ meta: { 'api-version': '1.9' }, files: [{ ...wheel, ...file }] }), {
    ...gateway,
    coreMetadata: () => undefined,
  });

test('HTML stays at API 1.4, yanks for true only, and marks no metadata where there is none', () => {
  assert.ok(unmarked({}).includes('content="1.4"'));
  assert.ok(unmarked({ yanked: true }).includes(' data-yanked=""'));
  for (const yanked of [false, '', null]) assert.ok(!unmarked({ yanked }).includes('data-yanked'));
  assert.ok(!unmarked({ 'core-metadata': true }).includes('metadata'));
});

test('a file without sha256 keeps its other hash in the link', () => {
  const source = page({
    files: [{ filename: 'flask-1.zip', url: 'f', hashes: { md5: 'b'.repeat(32), sha1: 'c'.repeat(40) } }],
  });
  assert.ok(html(source, same).includes(`/f#sha1=${'c'.repeat(40)}"`));
});

const nasty = fc
  .array(
    fc.constantFrom(
      '<',
      '>',
      '"',
      "'",
      '&',
      '&amp;',
      '<script>',
      '</a>',
      '-->',
      '\n',
      '\t',
      ' ',
      '=',
      '\r',
      'é',
      '😀',
      'x',
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''));
const file = fc.record(
  {
    filename: nasty.map((text) => `x${text.replaceAll(/[\s/]/g, '')}x-1.zip`),
    url: fc.webUrl({ withQueryParameters: true }),
    hashes: fc.constantFrom<Record<string, string>>({}, { sha256 }, { md5: 'b'.repeat(32) }),
    'requires-python': nasty,
    size: fc.nat(),
    yanked: fc.oneof(fc.boolean(), nasty),
    'core-metadata': fc.constantFrom<Json>(true, { sha256 }),
    'x-unknown': fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>,
  },
  { requiredKeys: ['filename', 'url', 'hashes'] },
);
const pages = fc
  .uniqueArray(file, { selector: (entry) => entry.filename, maxLength: 5 })
  .map((files) => page({ meta: { 'api-version': '1.1' }, files }));

test('JSON reads back as the same page', () => {
  fc.assert(
    fc.property(pages, (source) => {
      const again = readPageJson(renderJson(source, same), { url, project, strict: true });
      assert.deepEqual(again.files.map(withoutRawUrl), source.files.map(withoutRawUrl));
      assert.deepEqual(Buffer.from(renderJson(again, same)), Buffer.from(renderJson(source, same)));
    }),
  );
});

test('HTML reads back as the same files, whatever they are called, and nothing of them becomes markup', () => {
  const links: PageLinks = {
    ...same,
    fileHref: (file) => `https://h.example/f/${encodeURIComponent(file.filename)}`,
  };
  fc.assert(
    fc.property(pages, (source) => {
      const again = readPageHtml(renderHtml(source, links), { url, project });
      assert.deepEqual(again.files.map(essence), source.files.map(essence));
    }),
  );
});

function withoutRawUrl(file: ProjectFile): object {
  return { ...file, raw: { ...file.raw, url: file.url } };
}

/** What HTML can carry. */
function essence(file: ProjectFile): object {
  const { yanked } = file.raw;
  return {
    filename: file.filename,
    sha256: file.sha256,
    hashes: file.sha256 === undefined ? file.hashes : {},
    coreMetadata: file.coreMetadata,
    requiresPython: file.raw['requires-python'] ?? undefined,
    yanked: yanked === undefined || yanked === '' ? false : yanked,
  };
}

test('all real pages are read, rendered both ways, and read back equal', { skip: fixturesMissing() }, () => {
  const projects = readdirSync(fixturePath('index')).map((name) => name.replace('.json.gz', ''));
  assert.equal(projects.length, 68);
  for (const name of projects) {
    const options = { url: `https://mirror.example/simple/${name}/`, project: parseProjectName(name) };
    const source = readPageJson(fixturePage(name), { ...options, strict: true });
    assert.ok(source.files.length > 0);
    // As text: deepEqual on 100,000 files takes most of the time otherwise.
    const equal = (left: unknown, right: unknown): void =>
      assert.ok(JSON.stringify(left) === JSON.stringify(right), name);
    equal(readPageJson(fixturePage(name), options), source);
    const again = readPageJson(renderJson(source, same), options);
    assert.deepEqual(again.raw, source.raw, name);
    equal(again.files.map(withoutRawUrl), source.files.map(withoutRawUrl));
    const fromHtml = readPageHtml(renderHtml(source, same), options);
    equal(fromHtml.files.map(essence), source.files.map(essence));
    equal(
      fromHtml.files.map((file) => file.url),
      source.files.map((file) => file.url),
    );
  }
});

test('a page of 9 MB is read and rendered well under a second', () => {
  const files = Array.from({ length: 22_000 }, (_, n) => ({
    filename: `flask-1.${n}-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl`,
    url: `https://files.example/packages/aa/bb/${'c'.repeat(60)}/flask-1.${n}.whl`,
    hashes: { sha256: n.toString(16).padStart(64, '0') },
    'requires-python': '>=3.8',
    size: n,
    'upload-time': '2026-01-01T00:00:00.000000Z',
    yanked: false,
  }));
  const body = Buffer.from(
    JSON.stringify({ meta: { 'api-version': '1.1' }, name: 'flask', versions: [], files }),
  );
  assert.ok(body.length > 8e6);
  const start = process.cpuUsage();
  const source = readPageJson(body, { url, project, strict: true });
  renderJson(source, gateway);
  const rendered = renderHtml(source, gateway);
  const json = process.cpuUsage(start);
  assert.ok(json.user + json.system < 1e6, `${(json.user + json.system) / 1000} ms of CPU`);
  const again = process.cpuUsage();
  readPageHtml(rendered, { url, project });
  const html = process.cpuUsage(again);
  assert.ok(html.user + html.system < 2e6, `${(html.user + html.system) / 1000} ms of CPU`);
});
