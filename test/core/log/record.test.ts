import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import type { Digest } from '../../../src/core/digest.ts';
import { leafBlob } from '../../../src/core/index-map/tree-hash.ts';
import { limits } from '../../../src/core/limits.ts';
import {
  checkFollows,
  decodeRecord,
  encodeRecord,
  type IndexRecord,
  isKnownRecord,
  recordDigest,
} from '../../../src/core/log/record.ts';
import { type Retraction, retractionsInForce } from '../../../src/core/log/retraction.ts';
import { damages, records, signerOf } from './arbitraries.ts';
import { isLogError } from './log-error.ts';

const digest = (letter: string): Digest => letter.repeat(64) as Digest;

const sample: IndexRecord = {
  v: 1,
  upstream: 'https://pypi.org/simple/',
  fileOrigin: 'https://files.pythonhosted.org',
  format: 'json',
  scope: 'all',
  complete: true,
  seq: 7,
  signedAt: 1_780_000_060_000,
  observedAt: 1_780_000_000_000,
  serial: 31_000_000,
  apiVersion: '1.4',
  bins: 65_536,
  count: 886_324,
  mapRoot: digest('a'),
  leaves: digest('b'),
  delta: digest('c'),
  stale: null,
  retractions: [
    { subject: 'evil-package' as Retraction['subject'], reason: 'malware', since: 1_780_000_000_000 },
  ],
  previous: digest('d'),
};

const textOf = (value: object): Buffer => Buffer.from(canonicalize(value) ?? '');

test('a record is read as it was written, and its leaf hash is its blob digest', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 3 }).chain((seq) => records(seq)),
      (record) => {
        const bytes = encodeRecord(record);
        assert.deepEqual(decodeRecord(bytes, record.seq), record);
        assert.equal(recordDigest(bytes), createHash('sha256').update(leafBlob(bytes)).digest('hex'));
      },
    ),
  );
});

test('bytes that are not UTF-8 are refused, also where as many stand for them when they are read', () => {
  const reason = 'cut \ufffd off';
  const bytes = Buffer.from(
    encodeRecord({ ...sample, retractions: sample.retractions.map((one) => ({ ...one, reason })) }),
  );
  const at = bytes.indexOf('\ufffd');
  // The first three bytes of a character of four.
  bytes.set([0xf0, 0x9f, 0x95], at);
  assert.throws(
    () => decodeRecord(bytes, 7),
    (error) => isLogError(error) && error.code === 'RECORD_NOT_CANONICAL',
  );
});

test('a damaged record is refused, or is another record', () => {
  fc.assert(
    fc.property(records(3), damages, (record, damage) => {
      const bytes = Buffer.from(encodeRecord(record));
      const damaged = Buffer.from(damage(bytes));
      try {
        const read = decodeRecord(damaged, 3);
        if (isKnownRecord(read)) assert.deepEqual(Buffer.from(encodeRecord(read)), damaged);
        assert.equal(recordDigest(damaged) === recordDigest(bytes), damaged.equals(bytes));
      } catch (error) {
        assert.ok(isLogError(error) && error.blame === 'publisher', String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('any JSON and any bytes end in an answer', () => {
  const objects = fc.dictionary(fc.constantFrom(...Object.keys(sample), '__proto__'), fc.jsonValue());
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        objects.map((value) => textOf({ ...sample, ...value })),
      ),
      (bytes) => {
        try {
          decodeRecord(bytes, 7);
        } catch (error) {
          assert.ok(isLogError(error));
        }
      },
    ),
  );
  // Nested too deep for anything that recurses.
  const deep = '{"v":2,"x":'.concat('['.repeat(10_000), ']'.repeat(10_000), '}');
  assert.deepEqual(decodeRecord(Buffer.from(deep), 0), { v: 2 });
});

const wrong: [string, Partial<Record<keyof IndexRecord | 'extra', unknown>>][] = [
  ['host in upper case', { upstream: 'https://PyPI.org/simple/' }],
  ['upstream without a slash at its end', { upstream: 'https://pypi.org/simple' }],
  ['upstream with a query', { upstream: 'https://pypi.org/simple/?a=/' }],
  ['upstream with an empty query', { upstream: 'https://pypi.org/?/' }],
  ['upstream with credentials', { upstream: 'https://me:secret@pypi.org/simple/' }],
  ['upstream with the default port', { upstream: 'https://pypi.org:443/simple/' }],
  ['upstream of another scheme', { upstream: 'file:///simple/' }],
  ['upstream that is no URL', { upstream: 'pypi' }],
  ['upstream over 1 KiB', { upstream: `https://pypi.org/${'a'.repeat(1024)}/` }],
  ['file origin with a path', { fileOrigin: 'https://files.pythonhosted.org/' }],
  ['format', { format: 'xml' }],
  ['scope', { scope: 'some' }],
  ['scope in upper case', { scope: 'A'.repeat(64) }],
  ['complete as a number', { complete: 1 }],
  ['a time before 1970', { observedAt: -1 }],
  ['a time with a fraction', { signedAt: 0.5 }],
  ['a time beyond dates', { signedAt: 8.64e15 + 1 }],
  ['serial as text', { serial: '5' }],
  ['serial over 2^53 - 1', { serial: 2 ** 53 }],
  ['bins', { bins: 65_535 }],
  ['count', { count: -5 }],
  ['no map root', { mapRoot: null }],
  ['a short digest', { leaves: 'ab' }],
  ['API version', { apiVersion: '1.x' }],
  ['delta', { delta: false }],
  ['an unknown field', { extra: 1 }],
  ['no previous record', { previous: null }],
  ['a missing field', { stale: undefined }],
  ['retractions that are no list', { retractions: {} }],
  ['a retraction that is null', { retractions: [null] }],
  ['a retraction of no project', { retractions: [{ subject: 'Evil_Package', reason: '', since: 0 }] }],
  ['a retraction of no digest', { retractions: [{ subject: 'sha256:abc', reason: '', since: 0 }] }],
  ['a retraction with an unknown field', { retractions: [{ subject: 'a', reason: '', since: 0, x: 1 }] }],
  ['a reason over 200 bytes', { retractions: [{ subject: 'a', reason: 'x'.repeat(201), since: 0 }] }],
  ['a reason that writes on terminals', { retractions: [{ subject: 'a', reason: '\u001b[2J', since: 0 }] }],
  ['a reason that turns text around', { retractions: [{ subject: 'a', reason: '\u202e', since: 0 }] }],
  [
    'one subject twice',
    {
      retractions: [
        { subject: 'a', reason: '', since: 0 },
        { subject: 'a', reason: '', since: 0 },
      ],
    },
  ],
  [
    'retractions out of order',
    {
      retractions: [
        { subject: 'b', reason: '', since: 0 },
        { subject: 'a', reason: '', since: 0 },
      ],
    },
  ],
  ['a successor that is no key', { successor: 'alice' }],
  ['a successor that is null', { successor: null }],
];

for (const [what, change] of wrong) {
  test(`refused: ${what}`, () => {
    decodeRecord(textOf(sample), 7);
    assert.throws(() => decodeRecord(textOf({ ...sample, ...change }), 7), { code: 'RECORD_MALFORMED' });
    assert.throws(() => encodeRecord({ ...sample, ...change } as IndexRecord), isLogError);
  });
}

test('only the canonical bytes are a record', () => {
  const text = textOf(sample).toString();
  for (const other of [
    text.replace('{', '{ '),
    `${text}\n`,
    text.replace('"v":1', '"v":1.0'),
    text.replace('"v":1', '"v":1e0'),
    text.replace('{', '{"v":1,'),
    text.replace('malware', 'm\\u0061lware'),
    JSON.stringify(sample),
  ])
    assert.throws(() => decodeRecord(Buffer.from(other), 7), { code: 'RECORD_NOT_CANONICAL' }, other);
  const latin = Buffer.from(text.replace('malware', 'm\u00e4lware'), 'latin1');
  assert.throws(() => decodeRecord(latin, 7), { code: 'RECORD_NOT_CANONICAL' });
  assert.throws(() => decodeRecord(Buffer.from(text.replace('malware', '\\ud800')), 7), {
    code: 'RECORD_NOT_CANONICAL',
  });
  assert.throws(() => decodeRecord(Buffer.from(`\ufeff${text}`), 7), { code: 'RECORD_MALFORMED' });
});

test('a record belongs to one place in its log', () => {
  assert.throws(() => decodeRecord(textOf(sample), 8), { code: 'RECORD_WRONG_SEQ' });
  assert.throws(() => decodeRecord(textOf({ ...sample, seq: 0 }), 0), { code: 'RECORD_MALFORMED' });
  checkFollows(sample, { digest: digest('d'), observedAt: sample.observedAt });
  for (const before of [
    { digest: digest('e'), observedAt: 0 },
    { digest: digest('d'), observedAt: sample.observedAt + 1 },
  ])
    assert.throws(() => checkFollows(sample, before), { code: 'RECORD_OUT_OF_ORDER' });
});

test('a record of an unknown version is known to be one', () => {
  assert.deepEqual(decodeRecord(textOf({ v: 2, anything: [1, 'b'] }), 9), { v: 2 });
  for (const v of [0, -1, 1.5, '1', null, undefined])
    assert.throws(() => decodeRecord(textOf({ ...sample, v }), 7), { code: 'RECORD_MALFORMED' });
});

test('a record over its limit is refused before it is read', () => {
  assert.throws(() => decodeRecord(Buffer.alloc(limits.log.recordBytes + 1, '['), 0), {
    code: 'RECORD_TOO_LARGE',
  });
});

test('a record may name who takes over', () => {
  const successor = signerOf('alice.example', 9).key.text;
  const record = decodeRecord(encodeRecord({ ...sample, successor }), 7);
  assert.ok(isKnownRecord(record) && record.successor === successor);
});

test('of more than 32 retractions none counts', () => {
  const list = (count: number): Retraction[] =>
    Array.from({ length: count }, (_, i) => ({
      subject: `p${String(i).padStart(3, '0')}` as Retraction['subject'],
      reason: '',
      since: 0,
    }));
  assert.equal(retractionsInForce(list(32)).inForce.length, 32);
  assert.deepEqual(retractionsInForce(list(33)), { inForce: [], ignored: 33 });
  const record = decodeRecord(encodeRecord({ ...sample, retractions: list(33) }), 7);
  assert.ok(isKnownRecord(record));
});
