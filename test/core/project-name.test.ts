import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { InvalidNameError } from '../../src/core/errors.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import { fixturePath, fixturesMissing } from '../support/fixtures.ts';

test('names are normalized as PEP 503 says', () => {
  assert.equal(parseProjectName('Flask'), 'flask');
  assert.equal(parseProjectName('zope.Interface'), 'zope-interface');
  assert.equal(parseProjectName('A-_.-b'), 'a-b');
  assert.equal(parseProjectName('0'), '0');
});

test('what is no name is refused', () => {
  for (const text of [
    '',
    '-',
    '.a',
    'a.',
    'a b',
    'a/b',
    '..',
    'é',
    'a\n',
    '\0',
    'İ',
    '\u212a',
    'a'.repeat(201),
  ])
    assert.throws(() => parseProjectName(text), InvalidNameError, text);
});

test('normalizing twice changes nothing, and spelling does not matter', () => {
  const name = fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?$/);
  fc.assert(
    fc.property(name, (text) => {
      const normalized = parseProjectName(text);
      assert.equal(parseProjectName(normalized), normalized);
      assert.equal(parseProjectName(text.toUpperCase()), normalized);
      assert.equal(parseProjectName(text.replaceAll(/[-_.]/g, '_')), normalized);
      assert.match(normalized, /^[a-z0-9]+(-[a-z0-9]+)*$/);
    }),
  );
});

test('all names of the real index are normalized already', { skip: fixturesMissing() }, () => {
  const names = gunzipSync(readFileSync(fixturePath('project-names.txt.gz')))
    .toString()
    .trim()
    .split('\n');
  assert.equal(names.length, 886_324);
  for (const name of names) if (parseProjectName(name) !== name) assert.fail(name);
});
