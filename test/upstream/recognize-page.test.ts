/** What is taken for a page, whatever it calls itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseProjectName } from '../../src/core/project-name.ts';
import { recognizePage } from '../../src/upstream/recognize-page.ts';

const project = parseProjectName('big-thing');

function formatOf(body: string, type?: string, delimited = true): string {
  const recognized = recognizePage(Buffer.from(body), { type, project, delimited });
  return 'format' in recognized ? recognized.format : recognized.problem;
}

const html = (inside: string): string => `<!DOCTYPE html><html><body>${inside}</body></html>`;

test('HTML is a page by its meta, its title, or a link to a file of the project', () => {
  assert.equal(
    formatOf('<html><head><meta name="pypi:repository-version" content="1.0"></head></html>'),
    'html',
  );
  assert.equal(formatOf(html('<h1>Links for big-thing</h1>')), 'html');
  assert.equal(formatOf(html('<title>root/dev: links for big-thing</title>')), 'html');
  assert.equal(formatOf(html('<a href="../../x/Big.Thing-1.0.tar.gz#sha256=00">x</a>')), 'html');
  assert.equal(formatOf(html("<A rel=internal HREF='big_thing-1.0-py3-none-any.whl'>x</A>")), 'html');
  assert.equal(formatOf('\ufeff\n <a href="big-thing-1.0.zip">x</a>'), 'html');
});

test('other HTML is no page: portals, error pages, listings of something else', () => {
  for (const body of [
    html('<h1>Hotel Wi-Fi</h1><a href="/login">Log in</a>'),
    html('<a href="https://vpn.example/client-1.0.zip">download our VPN</a>'),
    html('<a href="other-1.0.tar.gz">x</a>'),
    html('<a href="/big-thing-of-the-day.html">x</a>'),
    html(''),
    '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
  ]) {
    assert.match(formatOf(body, 'text/html'), /no page/, body);
    assert.match(formatOf(body, 'application/vnd.pypi.simple.v1+json'), /no page/, body);
  }
});

test('HTML must have its end, or a transfer that had one', () => {
  const anchor = '<a href="big-thing-1.0.zip">x</a>';
  assert.match(formatOf(`<!doctype html><html><body>${anchor}`), /cut off/);
  assert.match(formatOf(`<body>${anchor}`), /cut off/);
  assert.equal(formatOf(`<html>${anchor}</body>`), 'html');
  assert.equal(formatOf(anchor), 'html');
  assert.match(formatOf(anchor, 'text/html', false), /cut off/);
});

test('JSON under another type must be a page', () => {
  const page = JSON.stringify({ meta: { 'api-version': '1.0' }, name: 'big-thing', files: [] });
  for (const type of [undefined, 'application/json', 'text/plain; charset=utf-8', 'text/html']) {
    assert.equal(formatOf(page, type), 'json');
    assert.match(formatOf('{"files": {}}', type), /no page/);
    assert.match(formatOf('{"files": [}', type), /cannot be read/);
    assert.match(formatOf('{"message": "not now"}', type), /no page/);
  }
});

test('no proper beginning of a page is a page', () => {
  const page = `${JSON.stringify({ meta: {}, name: 'big-thing', files: [{ filename: 'x', url: 'y', hashes: {} }] })}\n`;
  const document = html('<h1>Links for big-thing</h1><a href="big-thing-1.0.zip">x</a>');
  fc.assert(
    fc.property(fc.nat(page.length - 3), fc.nat(document.length - '</body></html>'.length), (json, text) => {
      assert.match(formatOf(page.slice(0, json), 'text/plain'), / /);
      assert.match(formatOf(document.slice(0, text), 'text/html'), / /);
    }),
  );
});

test('any bytes are judged without an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      recognizePage(Buffer.from(bytes), { type: undefined, project, delimited: true });
    }),
  );
});

test('a body that is made to be slow to read is judged at once', { timeout: 10_000 }, () => {
  for (const body of [
    '<a '.repeat(1_000_000),
    `${'<a '.repeat(1_000_000)}>`,
    `<a ${'href '.repeat(1_000_000)}>`,
  ])
    assert.match(formatOf(body), /no page/);
});
