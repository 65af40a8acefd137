import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compareVersions,
  isPinned,
  isPrerelease,
  parseVersion,
  type Version,
} from '../../src/core/version.ts';

const version = (text: string): Version => parseVersion(text) ?? assert.fail(`${text} is a version`);

/** PEP 440's own order, oldest first. */
const ORDER = [
  '1.dev0', '1.0.dev456', '1.0a1', '1.0a2.dev456', '1.0a12.dev456', '1.0a12', '1.0b1.dev456', '1.0b2',
  '1.0b2.post345.dev456', '1.0b2.post345', '1.0rc1.dev456', '1.0rc1', '1.0', '1.0.post456.dev34', '1.0.post456',
  '1.1.dev1', '1.10', '2!0.1',
]; // prettier-ignore

test('versions are ordered as PEP 440 has it', () => {
  const any = fc.integer({ min: 0, max: ORDER.length - 1 });
  fc.assert(
    fc.property(any, any, (a, b) => {
      const order = compareVersions(version(ORDER[a] ?? ''), version(ORDER[b] ?? ''));
      assert.equal(Math.sign(order), Math.sign(a - b), `${ORDER[a]} and ${ORDER[b]}`);
    }),
  );
});

test('spellings of one version are one version', () => {
  const same = [
    ['1.0', '1', 'v1.0.0'],
    ['1.0a1', '1.0-alpha.1', '1.0_A1'],
    ['1.0rc1', '1.0c1', '1.0-preview1'],
    ['1.0.post1', '1.0-1', '1.0rev1'],
    ['1.0.dev0', '1.0dev'],
  ];
  for (const [first = '', ...others] of same) {
    for (const other of others)
      assert.equal(compareVersions(version(first), version(other)), 0, `${first} ${other}`);
  }
});

test('a pin without a local part names every local version; with one, that only', () => {
  assert.equal(isPinned(version('1.0'), version('1.0+cpu')), true);
  assert.equal(isPinned(version('1.0+cpu'), version('1.0_cpu')), true);
  assert.equal(isPinned(version('1.0+cpu'), version('1.0')), false);
});

test('pre-releases are known as such, and what is no version is none', () => {
  assert.equal(isPrerelease(version('1.0rc1')), true);
  assert.equal(isPrerelease(version('1.0.dev1')), true);
  assert.equal(isPrerelease(version('1.0.post1')), false);
  for (const bad of ['', 'latest', '1..0', '1.0-', 'x'.repeat(300)])
    assert.equal(parseVersion(bad), undefined, bad);
});
