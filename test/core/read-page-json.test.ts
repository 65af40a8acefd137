import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvalidContentError } from '../../src/core/errors.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import type { ProjectPage } from '../../src/core/project-page.ts';
import { readPageJson } from '../../src/core/read-page-json.ts';

const url = 'https://mirror.example/simple/flask/';
const project = parseProjectName('flask');
const sha256 = 'a'.repeat(64);

const read = (page: unknown, strict = false): ProjectPage =>
  readPageJson(Buffer.from(typeof page === 'string' ? page : JSON.stringify(page)), { url, project, strict });
const fileOf = (file: object): ProjectPage['files'][number] => {
  const page = read({
    name: 'flask',
    files: [{ filename: 'flask-1.tar.gz', url: 'f', hashes: {}, ...file }],
  });
  return page.files[0] ?? assert.fail('no file');
};
const refused = (page: unknown, part: string | RegExp): void => {
  assert.throws(
    () => read(page),
    (error) => {
      assert.ok(error instanceof InvalidContentError, String(error));
      assert.ok(error.message.startsWith(url), error.message);
      if (typeof part === 'string') assert.ok(error.message.includes(part), error.message);
      else assert.match(error.message, part);
      return true;
    },
  );
};
const refusedFile = (file: object, part: string | RegExp): void =>
  refused({ name: 'flask', files: [{ filename: 'flask-1.tar.gz', url: 'f', hashes: {}, ...file }] }, part);

test('a page of API 1.4 is read with everything it says, unknown keys kept at every level', () => {
  const file = {
    filename: 'flask-3.0-py3-none-any.whl',
    url: 'https://files.example/packages/flask-3.0-py3-none-any.whl',
    hashes: { sha256, md5: 'B'.repeat(32) },
    'requires-python': '>=3.8',
    size: 1234,
    'upload-time': '2026-01-01T00:00:00Z',
    yanked: 'broken',
    'core-metadata': { sha256 },
    provenance: 'https://pypi.example/integrity/x',
    'x-file': [1, { deep: null }],
  };
  const rest = {
    meta: { 'api-version': '1.4', '_last-serial': '123', 'x-meta': 1 },
    name: 'Flask',
    versions: ['3.0'],
    'project-status': { status: 'archived', reason: 'done' },
    'x-page': { y: true },
  };
  const page = read({ ...rest, files: [file] });
  assert.equal(page.name, 'flask');
  assert.equal(page.format, 'json');
  assert.equal(page.url, url);
  assert.deepEqual(page.raw, rest);
  assert.deepEqual(page.files, [
    {
      filename: file.filename,
      url: file.url,
      sha256,
      hashes: { md5: 'b'.repeat(32) },
      size: 1234,
      coreMetadata: { sha256 },
      raw: file,
    },
  ]);
});

test('a bare page of a company mirror is read: no meta, versions, sizes, hashes', () => {
  const page = read({ name: 'flask', files: [{ filename: 'flask-1.tar.gz', url: 'flask-1.tar.gz' }] });
  assert.deepEqual(page.files[0], {
    filename: 'flask-1.tar.gz',
    url: `${url}flask-1.tar.gz`,
    sha256: undefined,
    hashes: {},
    size: undefined,
    coreMetadata: undefined,
    raw: { filename: 'flask-1.tar.gz', url: 'flask-1.tar.gz' },
  });
});

test('a byte order mark and null for what is optional do no harm', () => {
  const file = {
    filename: 'flask-1.tar.gz',
    url: 'f',
    hashes: null,
    size: null,
    yanked: null,
    'requires-python': null,
    'upload-time': null,
    'core-metadata': null,
    provenance: null,
  };
  const page = read(
    `\ufeff${JSON.stringify({ meta: null, name: 'flask', versions: null, 'project-status': null, files: [file] })}`,
  );
  assert.equal(page.files[0]?.size, undefined);
  assert.equal(page.files[0]?.coreMetadata, undefined);
});

test('links resolve against the page and lose their fragment', () => {
  assert.equal(fileOf({ url: '../../packages/x' }).url, 'https://mirror.example/packages/x');
  assert.equal(fileOf({ url: '/p/x?token=1' }).url, 'https://mirror.example/p/x?token=1');
  assert.equal(fileOf({ url: '//cdn.example/x#top' }).url, 'https://cdn.example/x');
  assert.equal(fileOf({ url: 'http://other.example/a b' }).url, 'http://other.example/a%20b');
});

test("a fragment's hash is used only where hashes lacks a sha256", () => {
  const other = 'c'.repeat(64);
  assert.equal(fileOf({ url: `f#sha256=${other}` }).sha256, other);
  assert.equal(fileOf({ url: `f#sha256=${other}`, hashes: { sha256 } }).sha256, sha256);
  const both = fileOf({ url: `f#egg=x&md5=${'D'.repeat(32)}`, hashes: { sha1: 'e'.repeat(40) } });
  assert.deepEqual(both.hashes, { md5: 'd'.repeat(32), sha1: 'e'.repeat(40) });
  assert.equal(both.sha256, undefined);
});

test('core-metadata is understood under all its names, the new one first', () => {
  assert.equal(fileOf({ 'core-metadata': true }).coreMetadata, true);
  assert.equal(fileOf({ 'dist-info-metadata': true }).coreMetadata, true);
  assert.equal(fileOf({ 'data-dist-info-metadata': true }).coreMetadata, true);
  assert.equal(fileOf({ 'core-metadata': false, 'dist-info-metadata': true }).coreMetadata, false);
  assert.deepEqual(fileOf({ 'dist-info-metadata': { sha256: sha256.toUpperCase() } }).coreMetadata, {
    sha256,
  });
  assert.equal(fileOf({ 'core-metadata': {} }).coreMetadata, true);
  assert.equal(fileOf({}).coreMetadata, undefined);
});

test('another major version is refused, later minor ones are not', () => {
  refused({ meta: { 'api-version': '2.0' }, name: 'flask', files: [] }, 'only versions 1.x');
  refused({ meta: { 'api-version': '10.0' }, name: 'flask', files: [] }, 'only versions 1.x');
  refused({ meta: { 'api-version': 'one' }, name: 'flask', files: [] }, 'meta.api-version');
  refused({ meta: { 'api-version': 1 }, name: 'flask', files: [] }, 'meta.api-version');
  assert.equal(read({ meta: { 'api-version': '1.99' }, name: 'flask', files: [] }).files.length, 0);
});

test('the name must be the one that was asked for', () => {
  refused({ name: 'flask2', files: [] }, '"name" is "flask2"; expected: one that normalizes to "flask"');
  refused({ files: [] }, '"name" is missing');
  refused({ name: '-', files: [] }, '"name"');
  refused({ name: 1, files: [] }, '"name"');
  assert.equal(read({ name: 'FLASK', files: [] }).name, 'flask');
});

test('wrong types are refused, and the error says which key', () => {
  refused([], 'the page');
  refused({ name: 'flask' }, '"files" is missing');
  refused({ name: 'flask', files: {} }, '"files" is an object');
  refused({ name: 'flask', files: [1] }, '"files[0]" is 1');
  refused({ name: 'flask', meta: [], files: [] }, '"meta" is a list');
  refused({ name: 'flask', versions: [1], files: [] }, '"versions"');
  refused({ name: 'flask', 'project-status': 'archived', files: [] }, '"project-status"');
  refusedFile({ filename: undefined }, '"files[0].filename" is missing');
  refusedFile({ filename: 3 }, '"files[0].filename" is 3');
  refusedFile({ url: undefined }, '"files[0].url" is missing');
  refusedFile({ hashes: 'x' }, '"files[0].hashes"');
  refusedFile({ hashes: { sha256: 7 } }, '"files[0].hashes"');
  refusedFile({ 'requires-python': 3 }, '"files[0].requires-python" is 3');
  refusedFile({ 'upload-time': 3 }, '"files[0].upload-time"');
  refusedFile({ yanked: {} }, '"files[0].yanked"');
  refusedFile({ 'gpg-sig': 'yes' }, '"files[0].gpg-sig"');
  refusedFile({ 'core-metadata': 'true' }, '"files[0].core-metadata"');
  refusedFile({ 'dist-info-metadata': [] }, '"files[0].dist-info-metadata"');
  refusedFile({ provenance: 1 }, '"files[0].provenance"');
});

test('a hash that cannot be one is refused: without it the file would pass unchecked', () => {
  refusedFile({ hashes: { sha256: 'a'.repeat(63) } }, 'sha256');
  refusedFile({ hashes: { sha256: '' } }, 'sha256');
  refusedFile({ hashes: { md5: 'xyz' } }, 'md5');
  refusedFile({ hashes: { sha256, SHA256: 'b'.repeat(64) } }, 'twice with different values');
  refusedFile({ 'core-metadata': { sha256: 'nope' } }, 'core-metadata');
});

test('a size that is no number of bytes is refused', () => {
  for (const size of [-1, 1.5, 2 ** 53, '12', true, 1e300]) refusedFile({ size }, '"files[0].size"');
  assert.equal(fileOf({ size: 0 }).size, 0);
});

test('only http and https links are taken', () => {
  for (const link of [
    '',
    '#x',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'data:,x',
    'http://',
    'ftp://h/x',
  ])
    refusedFile({ url: link }, '"files[0].url"');
  refusedFile({ provenance: 'javascript:alert(1)' }, '"files[0].provenance"');
});

test('one filename twice is refused by name', () => {
  const file = { filename: 'flask-1.tar.gz', url: 'f', hashes: {} };
  refused({ name: 'flask', files: [file, { ...file, url: 'g' }] }, 'lists "flask-1.tar.gz" twice');
});

test('a page with a filename that could leave its folder is refused', () => {
  for (const filename of [
    '',
    '.',
    '..',
    '../flask-1.tar.gz',
    '..\\flask-1.tar.gz',
    'a/b.whl',
    '/etc/passwd',
    'C:\\flask.whl',
    'C:flask.whl',
    'flask.whl:stream',
    '.bashrc',
    '.. ',
    ' ..',
    'flask.whl ',
    'flask.whl.',
    'flask\0.whl',
    'flask\n.whl',
    'flask\u007f.whl',
    'flask\u0085.whl',
    'flask\u2028.whl',
    'flask\ud800.whl',
    'a'.repeat(256),
  ])
    refusedFile({ filename }, '"files[0].filename"');
});

test('whatever the filename, one that passes is a single segment below the folder', () => {
  const segment = fc.constantFrom('.', '..', '/', '\\', 'a', ' ', ':', '\0', '%2e', '%2f', 'whl', '\n', 'é');
  fc.assert(
    fc.property(
      fc.array(segment, { maxLength: 6 }).map((parts) => parts.join('')),
      (filename) => {
        try {
          fileOf({ filename });
        } catch (error) {
          assert.ok(error instanceof InvalidContentError);
          return;
        }
        const resolved = new URL(encodeURIComponent(filename), 'https://h/folder/');
        assert.ok(resolved.pathname.startsWith('/folder/') && resolved.pathname.length > '/folder/'.length);
        assert.ok(!/^\.|[/\\:\0\n]/.test(filename));
      },
    ),
  );
});

test('what is not JSON is refused with the reason', () => {
  refused('', 'not JSON');
  refused('{"name": "flask", "files": [', 'not JSON');
  refused('<!DOCTYPE html><html>', 'HTML was sent where JSON was announced');
  const latin1 = Buffer.from('{"name":"flask","files":[],"x":"é"}', 'latin1');
  assert.throws(() => readPageJson(latin1, { url, project }), InvalidContentError);
});

test('nesting that would exhaust the stack is refused', () => {
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  refused(`{"name":"flask","files":[],"x":${deep}}`, 'nests deeper');
  refused(`{"name":"flask","files":[{"filename":"f.whl","url":"f","x":${deep}}]}`, 'nests deeper');
});

test('more files than any project has are refused', () => {
  refused({ name: 'flask', files: Array.from({ length: 100_001 }, () => 0) }, 'at most 100000');
});

test('duplicate keys are refused when strict, the last one counts otherwise', () => {
  const text = '{"name":"flask","files":[{"filename":"a.whl","url":"f","url":"g","hashes":{}}]}';
  assert.equal(read(text).files[0]?.url, `${url}g`);
  assert.throws(() => read(text, true), /the key "url" stands twice/);
});

test('a key called __proto__ is data like any other', () => {
  const text = `{"name":"flask","__proto__":{"a":1},"files":[{"filename":"a.whl","url":"f","hashes":{"__proto__":"${'ab'.repeat(16)}"}}]}`;
  const page = read(text);
  assert.deepEqual(Object.keys(page.raw), ['name', '__proto__']);
  assert.deepEqual(Object.entries(page.files[0]?.hashes ?? {}), [['__proto__', 'ab'.repeat(16)]]);
  assert.equal(Object.getPrototypeOf(page.files[0]?.hashes), Object.prototype);
});

test('any JSON gives a page or InvalidContentError, nothing else', () => {
  const key = fc.constantFrom(
    'name',
    'files',
    'filename',
    'url',
    'hashes',
    'meta',
    'size',
    'yanked',
    'core-metadata',
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(null, true, 0, -1, 'flask', 'flask-1.tar.gz', 'http://[', '\ud800', '1.0'),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(value, fc.array(value, { maxLength: 2 }), (any, files) => {
      for (const page of [any, { name: 'flask', files }]) {
        try {
          read(page);
        } catch (error) {
          assert.ok(error instanceof InvalidContentError, String(error));
        }
      }
    }),
  );
});
