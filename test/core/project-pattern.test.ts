import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigurationError } from '../../src/core/errors.ts';
import { parseProjectName } from '../../src/core/project-name.ts';
import { createProjectMatcher } from '../../src/core/project-pattern.ts';

const matches = (pattern: string, name: string): boolean =>
  createProjectMatcher([pattern])(parseProjectName(name));

test('a star stands for any characters, also none; the rest is literal', () => {
  assert.equal(matches('acme-*', 'acme-web'), true);
  assert.equal(matches('acme-*', 'acme'), false);
  assert.equal(matches('acme*', 'acme'), true);
  assert.equal(matches('acme', 'acme'), true);
  assert.equal(matches('acme', 'acme-web'), false);
  assert.equal(matches('*-internal', 'web-internal'), true);
  assert.equal(matches('a*b*c', 'aXbYc'), true);
  assert.equal(matches('a*b*c', 'a-c'), false);
  assert.equal(matches('ab*ba', 'aba'), false);
  assert.equal(matches('a*bb*b', 'abb'), false);
  assert.equal(matches('*', 'anything'), true);
  assert.equal(matches('a**b', 'ab'), true);
});

test('literal parts are normalized as names are', () => {
  assert.equal(matches('Acme_*', 'acme.web'), true);
  assert.equal(matches('ACME.-_web', 'acme-web'), true);
});

test('several patterns match when one does, none match nothing', () => {
  const matcher = createProjectMatcher(['acme-*', 'other']);
  assert.equal(matcher(parseProjectName('Other')), true);
  assert.equal(matcher(parseProjectName('acme-x')), true);
  assert.equal(matcher(parseProjectName('flask')), false);
  assert.equal(createProjectMatcher([])(parseProjectName('flask')), false);
});

test('what can match no name is refused and named', () => {
  for (const pattern of [
    '',
    'acme-',
    '-acme',
    'acme/*',
    'acme?',
    '[a]*',
    'a b',
    'é',
    '.*',
    'a'.repeat(201),
  ]) {
    assert.throws(
      () => createProjectMatcher(['ok', pattern]),
      (error) =>
        error instanceof ConfigurationError &&
        error.fault === 'usage' &&
        error.message.includes(JSON.stringify(pattern.slice(0, 80))),
      pattern,
    );
  }
});

test('matching agrees with the regular expression it stands for', () => {
  const text = fc.stringMatching(/^[ab]([ab*]*[ab])?$/);
  fc.assert(
    fc.property(text, fc.stringMatching(/^[ab]{1,12}$/), (pattern, name) => {
      const expected = new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(name);
      assert.equal(matches(pattern, name), expected);
    }),
  );
});

test('a pattern made to backtrack costs nothing', () => {
  const pattern = `${'a*'.repeat(99)}b`;
  assert.equal(matches(pattern, 'a'.repeat(200)), false);
});
