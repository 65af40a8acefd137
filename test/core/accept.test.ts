import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { chooseEncoding, negotiate } from '../../src/core/accept.ts';
import { fixturePath, fixturesMissing } from '../support/fixtures.ts';

const JSON_V1 = 'application/vnd.pypi.simple.v1+json';
const HTML_V1 = 'application/vnd.pypi.simple.v1+html';
const LATEST_JSON = 'application/vnd.pypi.simple.latest+json';
const LATEST_HTML = 'application/vnd.pypi.simple.latest+html';
const TEXT = 'text/html; charset=utf-8';

const typeFor = (accept: string | undefined): string | undefined => negotiate(accept)?.contentType;

test('each client gets the type it asks for', () => {
  // pip and PDM; uv; Poetry; pip before 22.2; a browser; curl and urllib; Java.
  assert.equal(typeFor(`${JSON_V1}, ${HTML_V1}; q=0.1, text/html; q=0.01`), JSON_V1);
  assert.equal(typeFor(`${JSON_V1}, ${HTML_V1};q=0.2, text/html;q=0.01`), JSON_V1);
  assert.equal(typeFor(`${JSON_V1}, */*;q=0.1`), JSON_V1);
  assert.equal(typeFor('text/html'), TEXT);
  assert.equal(typeFor('text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8'), TEXT);
  assert.equal(typeFor('*/*'), TEXT);
  assert.equal(typeFor('text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2'), TEXT);
});

test('no Accept, or an empty one, gets plain HTML, as old tools expect', () => {
  assert.deepEqual(negotiate(undefined), { format: 'html', contentType: TEXT });
  assert.deepEqual(negotiate(''), { format: 'html', contentType: TEXT });
  assert.deepEqual(negotiate('  '), { format: 'html', contentType: TEXT });
});

test('latest is answered with the v1 type', () => {
  assert.deepEqual(negotiate(LATEST_JSON), { format: 'json', contentType: JSON_V1 });
  assert.deepEqual(negotiate(LATEST_HTML), { format: 'html', contentType: HTML_V1 });
  assert.equal(typeFor(`${LATEST_JSON}, ${JSON_V1};q=0`), undefined);
});

test('weights decide, then what was named more exactly, then JSON', () => {
  assert.equal(typeFor(`${JSON_V1};q=0.2, text/html;q=0.3`), TEXT);
  assert.equal(typeFor(`${HTML_V1}, ${JSON_V1}`), JSON_V1);
  assert.equal(typeFor(`text/html, ${HTML_V1}`), HTML_V1);
  assert.equal(typeFor(`*/*, ${HTML_V1}`), HTML_V1);
  assert.equal(typeFor('application/*'), JSON_V1);
  assert.equal(typeFor('text/*'), TEXT);
  assert.equal(typeFor(`text/*;q=0.5, ${JSON_V1};q=0.4`), TEXT);
  assert.equal(typeFor(`${JSON_V1};q=0.001, image/png`), JSON_V1);
});

test('the most specific range gives the weight, also when it is lower', () => {
  assert.equal(typeFor('*/*, text/html;q=0'), JSON_V1);
  assert.equal(typeFor(`*/*, text/html;q=0, ${JSON_V1};q=0`), HTML_V1);
  assert.equal(typeFor('*/*;q=0.5, application/*;q=0.1, text/html;q=0.2'), TEXT);
});

test('406 for who takes none of these, or forbids them', () => {
  for (const accept of [
    'application/json',
    'image/png, text/plain',
    'application/vnd.pypi.simple.v2+json',
    'text/html;q=0',
    '*/*;q=0',
    `${JSON_V1};q=0.000`,
    'text/*;q=0, text/plain',
    ',',
    'text',
    'text/html;q=x',
  ])
    assert.equal(negotiate(accept), undefined, accept);
});

test('case, white space, parameters and quoted commas do not confuse it', () => {
  assert.equal(typeFor('APPLICATION/VND.PYPI.SIMPLE.V1+JSON ; Q=0.5'), JSON_V1);
  assert.equal(typeFor('text/html;charset="a,b;q=0";q=0.5'), TEXT);
  assert.equal(typeFor(`text/html;level=1;q=0.1 ,,\t${JSON_V1};q=0.2`), JSON_V1);
  assert.equal(typeFor('text/html;charset="never closed'), TEXT);
});

test('negotiation agrees with the specification and never picks what has q=0', () => {
  const range = fc.constantFrom(JSON_V1, HTML_V1, 'text/html', 'text/*', 'application/*', '*/*', 'image/png');
  const entries = fc.uniqueArray(fc.tuple(range, fc.constantFrom(0, 0.1, 0.5, 1)), {
    selector: ([name]) => name,
  });
  fc.assert(
    fc.property(entries, (entries) => {
      const header = entries.map(([name, q]) => `${name};q=${q}`).join(', ');
      const weights = new Map<string, number>(entries);
      const weightOf = (type: string): number =>
        weights.get(type) ?? weights.get(`${type.split('/')[0]}/*`) ?? weights.get('*/*') ?? 0;
      const best = Math.max(...[JSON_V1, HTML_V1, 'text/html'].map(weightOf));
      const chosen = header === '' ? undefined : typeFor(header);
      if (header === '') return;
      if (best === 0) assert.equal(chosen, undefined);
      else assert.equal(weightOf((chosen ?? '').replace('; charset=utf-8', '')), best, header);
    }),
  );
});

test('any header is answered without an error', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z*/;q=.,0-9" \\]*$/)), (header) => {
      negotiate(header);
      assert.ok(['gzip', 'zstd', 'identity'].includes(chooseEncoding(header)));
    }),
  );
});

test('codings: what the four clients send', () => {
  assert.equal(chooseEncoding('gzip, deflate'), 'gzip');
  assert.equal(chooseEncoding('gzip, deflate, zstd'), 'zstd');
  assert.equal(chooseEncoding('zstd,gzip,deflate'), 'zstd');
  assert.equal(chooseEncoding('identity'), 'identity');
  assert.equal(chooseEncoding('Identity'), 'identity');
  assert.equal(chooseEncoding(undefined), 'identity');
  assert.equal(chooseEncoding(''), 'identity');
});

test('zstd only for who names it', () => {
  assert.equal(chooseEncoding('*'), 'gzip');
  assert.equal(chooseEncoding('*;q=1, gzip;q=0'), 'identity');
  assert.equal(chooseEncoding('br, deflate'), 'identity');
  assert.equal(chooseEncoding('ZSTD'), 'zstd');
  assert.equal(chooseEncoding('zstd;q=0'), 'identity');
  assert.equal(chooseEncoding('zstd;q=0, gzip'), 'gzip');
});

test('codings go by weight', () => {
  assert.equal(chooseEncoding('zstd;q=0.5, gzip;q=0.8'), 'gzip');
  assert.equal(chooseEncoding('gzip;q=0.5, identity'), 'identity');
  assert.equal(chooseEncoding('gzip;q=0.5, identity;q=0.5'), 'gzip');
  assert.equal(chooseEncoding('gzip;q=0.1'), 'gzip');
  assert.equal(chooseEncoding('X-GZip'), 'gzip');
  assert.equal(chooseEncoding('gzip;q=0'), 'identity');
  assert.equal(chooseEncoding('identity;q=0, *;q=0'), 'identity');
});

interface Recorded {
  readonly path?: string;
  readonly headers?: [name: string, value: string][];
  readonly response?: { readonly headers: Record<string, string> };
}

test(
  'every recorded request for a page is answered as pip, uv, Poetry and PDM need it',
  { skip: fixturesMissing() },
  () => {
    const seen = new Set<string>();
    for (const name of readdirSync(fixturePath('clients'))) {
      if (!name.endsWith('.jsonl')) continue;
      for (const line of readFileSync(fixturePath(`clients/${name}`), 'utf8').split('\n')) {
        if (line === '') continue;
        const { path, headers } = JSON.parse(line) as Recorded;
        if (path === undefined || headers === undefined || !path.startsWith('/simple/')) continue;
        const value = (wanted: string): string | undefined =>
          headers.find(([header]) => header.toLowerCase() === wanted)?.[1];
        const [accept, encoding] = [value('accept'), value('accept-encoding')];
        seen.add(`${accept} | ${encoding}`);
        assert.deepEqual(negotiate(accept), { format: 'json', contentType: JSON_V1 }, `${name}: ${accept}`);
        const expected =
          encoding === undefined || /identity/i.test(encoding)
            ? 'identity'
            : /zstd/.test(encoding)
              ? 'zstd'
              : 'gzip';
        assert.equal(chooseEncoding(encoding), expected, `${name}: ${encoding}`);
      }
    }
    assert.ok(seen.size >= 3, [...seen].join('\n'));
  },
);
