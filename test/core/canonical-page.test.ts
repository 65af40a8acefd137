import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalPage } from '../../src/core/canonical-page.ts';
import { InvalidContentError } from '../../src/core/errors.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import type { Json } from '../../src/core/project-page.ts';
import { readPageHtml } from '../../src/core/read-page-html.ts';
import { readPageJson } from '../../src/core/read-page-json.ts';
import { fixturePage, fixturesMissing } from '../support/fixtures.ts';

interface Vector {
  readonly description: string;
  readonly format: 'json' | 'html';
  readonly project: string;
  readonly pageUrl: string;
  readonly fileOrigin: string;
  readonly input: string;
  readonly canonical?: string;
  readonly sha256?: string;
  readonly refused?: string;
}

function canonical(vector: Omit<Vector, 'description' | 'canonical' | 'sha256' | 'refused'>): string {
  const body = Buffer.from(vector.input);
  const options = { url: vector.pageUrl, project: parseProjectName(vector.project) };
  const page =
    vector.format === 'json' ? readPageJson(body, { ...options, strict: true }) : readPageHtml(body, options);
  return Buffer.from(canonicalPage(page, { fileOrigin: vector.fileOrigin })).toString();
}

const folder = new URL('../vectors/canonical-page/', import.meta.url);
const vectors = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name): [string, Vector] => [name, JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Vector]);

test('there are vectors of every kind', () => {
  assert.ok(vectors.filter(([, vector]) => vector.canonical !== undefined).length >= 16);
  assert.ok(vectors.filter(([, vector]) => vector.refused !== undefined).length >= 11);
});

for (const [name, vector] of vectors) {
  test(`${name}: ${vector.description}`, () => {
    if (vector.refused !== undefined) {
      assert.throws(() => canonical(vector), InvalidContentError);
      return;
    }
    const text = canonical(vector);
    assert.equal(text, vector.canonical);
    assert.equal(createHash('sha256').update(text).digest('hex'), vector.sha256);
  });
}

const digest = (name: string): string | undefined =>
  vectors.find(([vector]) => vector.startsWith(name))?.[1].sha256;

test('the same page in another order is the same canonical page', () => {
  assert.ok(digest('01-') !== undefined);
  assert.equal(digest('01-'), digest('02-'));
});

const common = {
  format: 'json',
  project: 'sample',
  pageUrl: 'https://pypi.org/simple/sample/',
  fileOrigin: 'https://files.pythonhosted.org',
} as const;

test('key order and file order change nothing, and making it canonical twice changes nothing', () => {
  const value = fc.jsonValue({ maxDepth: 3, noUnicodeString: false }).map(withoutFractions);
  const file = fc.record({
    filename: fc
      .string({ unit: 'grapheme', minLength: 1 })
      .map((text) => `a${text.replaceAll(/[/\\:\p{C}\p{Z}]/gu, '')}.zip`),
    url: fc.webPath().map((path) => `/p${path}`),
    hashes: fc.constantFrom({}, { sha256: 'A'.repeat(64) }),
    'x-extra': value,
  });
  const page = fc.record({
    meta: fc.constantFrom({}, { 'api-version': '1.3', '_last-serial': 5 }),
    name: fc.constant('sample'),
    versions: fc.array(fc.string({ unit: 'grapheme' })),
    files: fc.uniqueArray(file, { selector: (entry) => entry.filename, maxLength: 5 }),
    'x-page': value,
  });
  fc.assert(
    fc.property(page, fc.infiniteStream(fc.nat()), (page, stream) => {
      const shuffle = <T>(items: readonly T[]): T[] =>
        items
          .map((item) => [stream.next().value ?? 0, item] as const)
          .sort(([a], [b]) => a - b)
          .map(([, item]) => item);
      const shuffled = (value: Json): Json => {
        if (typeof value !== 'object' || value === null) return value;
        if (Array.isArray(value)) return value.map((item: Json) => shuffled(item));
        return Object.fromEntries(shuffle(Object.entries(value)).map(([key, item]) => [key, shuffled(item)]));
      };
      const other = { ...page, files: shuffle(page.files), versions: shuffle(page.versions) };
      const text = canonical({ ...common, input: JSON.stringify(page) });
      assert.equal(canonical({ ...common, input: JSON.stringify(shuffled(other)) }), text);
      const pageUrl = 'https://files.pythonhosted.org/';
      const own = canonical({ ...common, pageUrl, input: text });
      assert.equal(canonical({ ...common, pageUrl, input: own }), own);
    }),
  );
});

function withoutFractions(value: unknown): Json {
  if (typeof value === 'number') return Math.trunc(value % 2 ** 53);
  if (Array.isArray(value)) return value.map(withoutFractions);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutFractions(item)]));
  return value as Json;
}

test('what HTML says of a page has the same canonical form whatever its attributes order', () => {
  const html = { ...common, format: 'html' as const };
  const link = `href="/p/sample-1.zip#sha256=${'a'.repeat(64)}"`;
  assert.equal(
    canonical({ ...html, input: `<a ${link} data-yanked="x" data-core-metadata="true">a</a>` }),
    canonical({ ...html, input: `<A data-core-metadata=true data-yanked='x' ${link}>b</A>` }),
  );
});

test(
  'the largest real page has a canonical form, in well under a second',
  { skip: fixturesMissing() },
  () => {
    const options = {
      url: 'https://pypi.org/simple/pydantic-core/',
      project: parseProjectName('pydantic-core'),
    };
    const body = fixturePage('pydantic-core');
    const start = process.cpuUsage();
    const bytes = canonicalPage(readPageJson(body, { ...options, strict: true }), {
      fileOrigin: 'https://pypi.org',
    });
    const used = process.cpuUsage(start);
    assert.ok(used.user + used.system < 2e6, `${(used.user + used.system) / 1000} ms of CPU`);
    assert.ok(bytes.length > 5e6 && !Buffer.from(bytes).includes('_last-serial'));
  },
);
