import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestFromBytes, digestToBytes, digestToCid, isDigest, parseDigest } from '../../src/core/digest.ts';
import { InvalidNameError } from '../../src/core/errors.ts';

test('a digest is 64 hex digits, lower case inside', () => {
  assert.equal(parseDigest('AB'.repeat(32)), 'ab'.repeat(32));
  assert.equal(isDigest('AB'.repeat(32)), false);
  for (const text of ['', 'ab'.repeat(31), 'ab'.repeat(33), 'zz'.repeat(32), `${'ab'.repeat(32)}\n`])
    assert.throws(() => parseDigest(text), InvalidNameError, text);
  assert.throws(() => digestFromBytes(new Uint8Array(31)), InvalidNameError);
});

test('digest, bytes and CID name the same blob', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (blob) => {
      const digest = parseDigest(createHash('sha256').update(blob).digest('hex'));
      assert.equal(digestFromBytes(digestToBytes(digest)), digest);
      assert.deepEqual(Buffer.from(digestToCid(digest).multihash.digest), Buffer.from(digest, 'hex'));
    }),
  );
});

test('the CID of the empty blob is the one that IPFS gives it', () => {
  const digest = parseDigest(createHash('sha256').digest('hex'));
  assert.equal(digestToCid(digest).toString(), 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku');
});
