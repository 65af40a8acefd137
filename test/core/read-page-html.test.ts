import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvalidContentError } from '../../src/core/errors.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import type { ProjectPage } from '../../src/core/project-page.ts';
import { readPageHtml } from '../../src/core/read-page-html.ts';

const url = 'https://mirror.example/simple/flask/';
const project = parseProjectName('flask');
const sha256 = 'a'.repeat(64);

const read = (html: string): ProjectPage => readPageHtml(Buffer.from(html), { url, project });
const page = (body: string, head = ''): string =>
  `<!DOCTYPE html><html><head>${head}</head><body>${body}</body></html>`;
const names = (html: string): string[] => read(html).files.map((file) => file.filename);
const refused = (html: string, part: RegExp): void => {
  assert.throws(
    () => read(html),
    (error) =>
      error instanceof InvalidContentError && error.message.startsWith(url) && part.test(error.message),
    html.slice(0, 200),
  );
};

test('every attribute of an anchor is understood, and the rest is exactly what the design names', () => {
  const result = read(
    page(
      `<a href="../../files/flask-3.0-py3-none-any.whl#sha256=${sha256}&amp;md5=${'B'.repeat(32)}"
        data-requires-python="&gt;=3.8" data-yanked="bad &amp; broken" data-core-metadata="sha256=${sha256}"
        data-dist-info-metadata="true" data-gpg-sig="true" data-x="dropped" class="big">flask</a>`,
      '<meta name="pypi:repository-version" content="1.4"><meta name="pypi:project-status" content="archived">',
    ),
  );
  assert.deepEqual(result, {
    name: 'flask',
    format: 'html',
    url,
    raw: { meta: {}, name: 'flask' },
    files: [
      {
        filename: 'flask-3.0-py3-none-any.whl',
        url: 'https://mirror.example/files/flask-3.0-py3-none-any.whl',
        sha256,
        hashes: { md5: 'b'.repeat(32) },
        size: undefined,
        coreMetadata: { sha256 },
        raw: {
          filename: 'flask-3.0-py3-none-any.whl',
          url: 'https://mirror.example/files/flask-3.0-py3-none-any.whl',
          hashes: { sha256, md5: 'b'.repeat(32) },
          yanked: 'bad & broken',
          'requires-python': '>=3.8',
          'core-metadata': { sha256 },
          'gpg-sig': true,
        },
      },
    ],
  });
});

test('a bare link is a file that is not yanked and has no hash', () => {
  assert.deepEqual(read('<a href=flask-1.tar.gz>flask-1.tar.gz</a>').files[0]?.raw, {
    filename: 'flask-1.tar.gz',
    url: `${url}flask-1.tar.gz`,
    hashes: {},
    yanked: false,
  });
});

test('an empty data-yanked yanks without a reason', () => {
  assert.equal(read('<a href="flask-1.zip" data-yanked>').files[0]?.raw['yanked'], true);
  assert.equal(read('<a href="flask-1.zip" data-yanked="">').files[0]?.raw['yanked'], true);
});

const mark = (attribute: string): unknown =>
  read(`<a href="flask-1.zip" ${attribute}>`).files[0]?.coreMetadata;

test('metadata marks: both names, hashes of any algorithm, true, false, and nonsense that says nothing', () => {
  assert.equal(mark('data-core-metadata="true"'), true);
  assert.equal(mark('data-dist-info-metadata="true"'), true);
  assert.equal(mark('data-core-metadata="false" data-dist-info-metadata="true"'), false);
  assert.deepEqual(mark(`data-dist-info-metadata="SHA512=${'C'.repeat(128)}"`), { sha512: 'c'.repeat(128) });
  assert.equal(mark('data-core-metadata="sha256=12"'), undefined);
  assert.equal(mark('data-core-metadata'), undefined);
});

test('the first base counts, and it may be relative', () => {
  const link = '<a href="flask-1.zip">';
  assert.equal(
    read(`<base href="/files/">${link}`).files[0]?.url,
    'https://mirror.example/files/flask-1.zip',
  );
  assert.equal(
    read(`<base target=x><base href="https://cdn.example/f/"><base href="https://evil.example/">${link}`)
      .files[0]?.url,
    'https://cdn.example/f/flask-1.zip',
  );
});

test("a file's name is the last part of its URL, decoded", () => {
  assert.deepEqual(names('<a href="x/flask-1%2Blocal.tar.gz?token=1#sha256=">text</a>'), [
    'flask-1+local.tar.gz',
  ]);
  assert.deepEqual(names('<a href="flask-1%ZZ.zip">'), ['flask-1%ZZ.zip']);
});

test('a directory listing is read as the index it is: other links are skipped', () => {
  assert.deepEqual(
    names(
      page(`<h1>Index of /flask</h1><a href="../">../</a><a href="?C=N;O=D">Name</a><a href="#top">top</a>
        <a href="mailto:flask-1.zip">m</a><a href="javascript:x('flask-1.zip')">j</a><a name="x">no href</a>
        <a href="flask-1.zip.metadata">m</a><a href="flask-1.zip.asc">s</a><a href="https://flask.example">home</a>
        <a href="http://[">broken</a><a href="flask-2.zip/">a folder</a><A HREF='flask-1.zip'>it</A>`),
    ),
    ['flask-1.zip'],
  );
});

test('links in comments, scripts, styles, titles and text areas are text', () => {
  const link = '<a href="flask-9.zip">x</a>';
  assert.deepEqual(
    names(
      page(
        `<!-- ${link} --><script>"${link}"</script><style>${link}</style><textarea>${link}</textarea>
         <xmp>${link}</xmp><a href="flask-1.zip">`,
        `<title>${link}</title>`,
      ),
    ),
    ['flask-1.zip'],
  );
});

test('another major version is refused', () => {
  refused(
    page('<a href="flask-1.zip">', '<meta name="pypi:repository-version" content="2.0">'),
    /only versions 1\.x/,
  );
  refused(page('', '<meta name="pypi:repository-version">'), /only versions 1\.x/);
});

test('one filename twice, and names that leave their folder, are refused', () => {
  refused('<a href="a/flask-1.zip"><a href="b/flask-1.zip">', /"flask-1\.zip" twice/);
  for (const name of [
    '..%2fflask-1.zip',
    '%2e%2e%5cflask.whl',
    '.flask-1.zip',
    'c:%5cflask.whl',
    'flask%00.whl',
  ])
    refused(`<a href="x/${name}">`, /a link's filename/);
});

test('a page that was cut is refused, wherever it was cut', () => {
  const whole = page(
    '<a href="flask-1.zip">flask</a><!-- end --><a href="flask-2.zip" data-yanked="x">flask</a>',
  );
  assert.equal(read(whole).files.length, 2);
  for (let length = 16; length < whole.length - '</body></html>'.length; length++) {
    const cut = whole.slice(0, length);
    assert.throws(() => read(cut), InvalidContentError, cut);
  }
});

test('without html tags too, a text that ends within a tag or a comment was cut', () => {
  for (const end of ['<a href="flask-2.z', '<a href="flask-2.zip"', '<a', '<!-- more'])
    refused(`<a href="flask-1.zip">flask</a>${end}`, /it was cut/);
});

test('a fragment that is no sound hash gives none', () => {
  for (const fragment of [
    `sha256=${'a'.repeat(40)}`,
    'md5=12',
    'egg=flask',
    `=${sha256}`,
    `sha256=${'z'.repeat(64)}`,
  ]) {
    const file = read(`<a href="flask-1.zip#${fragment}">`).files[0];
    assert.equal(file?.sha256, undefined);
    assert.deepEqual(file?.hashes, {}, fragment);
  }
});

test('HTML that is no index page is refused, not taken for a project without files', () => {
  refused('', /neither links to a distribution nor says/);
  refused(
    page('<form action="/login"><input name=password></form>', '<title>Log in</title>'),
    /neither links/,
  );
  refused(page('<a href="/portal">Accept the terms of this Wi-Fi</a>'), /neither links/);
});

test('a project without files is believed when the page says what it is', () => {
  assert.deepEqual(names(page('', '<title>Links for flask</title>')), []);
  assert.deepEqual(names(page('', '<meta name="pypi:repository-version" content="1.0">')), []);
});

test('unclosed formatting elements cost linear time', () => {
  // A tree builder opens all of them again for each paragraph: 20,000 times 20,000.
  const html = `${Array.from({ length: 20_000 }, (_, n) => `<b id=${n}><p>`).join('')}<a href="flask-1.zip">`;
  assert.deepEqual(names(html), ['flask-1.zip']);
});

test('more links than any project has are refused', () => {
  refused('<a>'.repeat(100_001), /more than 100000 links/);
});

test('any text gives a page or InvalidContentError', () => {
  const piece = fc.constantFrom(
    '<a href="',
    'flask-1.zip',
    '">',
    '<',
    '</',
    '<!--',
    '-->',
    '&amp;',
    '<title>',
    'Links for ',
    '#sha256=',
    '<meta name="pypi:repository-version" content="',
    '<base href="',
    'http://',
    '\0',
    ' data-yanked=',
    '<script>',
    '<![CDATA[',
    'é',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece).map((parts) => parts.join('')),
      ),
      (html) => {
        try {
          read(html);
        } catch (error) {
          assert.ok(error instanceof InvalidContentError, String(error));
        }
      },
    ),
  );
});
