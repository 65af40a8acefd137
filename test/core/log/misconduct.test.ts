import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from '@ipld/dag-cbor';
import fc from 'fast-check';
import { digestFromBytes } from '../../../src/core/digest.ts';
import { formatCheckpoint } from '../../../src/core/log/checkpoint.ts';
import { encodeMisconduct, type Misconduct, verifyMisconduct } from '../../../src/core/log/misconduct.ts';
import { parseNote, signNote } from '../../../src/core/log/note.ts';
import { encodeRecord, recordDigest } from '../../../src/core/log/record.ts';
import type { Signer } from '../../../src/core/log/signer-key.ts';
import { createTestTree, type TestTree } from '../../support/test-tree.ts';
import { damages, records, signerOf } from './arbitraries.ts';
import { isLogError } from './log-error.ts';

const alice = signerOf('alice.example/log', 1);
const bob = signerOf('bob.example/log', 2);
const successors = [signerOf('alice.example/log', 3).key.text, signerOf('alice.example/log', 4).key.text];

/** A log of `size` leaves that is another one from leaf 4 on. */
function lied(size: number): TestTree {
  const tree = createTestTree(4);
  for (let i = 4; i < size; i++) tree.add(recordDigest(Buffer.from(`lie ${i}`)));
  return tree;
}

function signed(tree: TestTree, signers: readonly Signer[] = [alice]): Uint8Array {
  const head = { origin: alice.key.name, size: tree.leaves.length, root: tree.root(), extensions: [] };
  return signNote(formatCheckpoint(head), signers);
}

const fork: Misconduct = {
  kind: 'fork',
  key: alice.key,
  notes: [signed(createTestTree(9)), signed(lied(9))],
};

function evidence(tree: TestTree, index: number) {
  return {
    checkpoint: signed(tree),
    leaf: digestFromBytes(tree.leaves[index] as Buffer),
    proof: tree.proveInclusion(index),
  };
}

const rewrite: Misconduct = {
  kind: 'rewrite',
  key: alice.key,
  index: 5,
  leaves: [evidence(createTestTree(9), 5), evidence(lied(12), 5)],
};

function naming(size: number, successor: string | undefined) {
  const [record] = fc.sample(records(size - 1), { numRuns: 1, seed: 7 });
  const bytes = encodeRecord({
    ...record,
    retractions: [],
    ...(successor === undefined ? {} : { successor }),
  } as Parameters<typeof encodeRecord>[0]);
  const tree = createTestTree(size - 1);
  tree.add(recordDigest(bytes));
  return { checkpoint: signed(tree), index: size - 1, record: bytes, proof: tree.proveInclusion(size - 1) };
}

const twoSuccessors: Misconduct = {
  kind: 'successors',
  key: alice.key,
  records: [naming(6, successors[0]), naming(8, successors[1])],
};

const all = [fork, rewrite, twoSuccessors];

for (const misconduct of all) {
  test(`${misconduct.kind}: proven offline, with one encoding whichever side comes first`, () => {
    const bytes = encodeMisconduct(misconduct);
    const read = verifyMisconduct(bytes);
    assert.equal(read.kind, misconduct.kind);
    assert.equal(read.key.text, alice.key.text);
    assert.deepEqual(Buffer.from(encodeMisconduct(read)), Buffer.from(bytes));
    assert.deepEqual(Buffer.from(encodeMisconduct(turned(misconduct))), Buffer.from(bytes));
    assert.ok(bytes.length < 4096);
    const { a, b, ...rest } = decode<Record<string, unknown>>(bytes);
    assert.throws(() => verifyMisconduct(encode({ a: b, b: a, ...rest })), { code: 'MISCONDUCT_MALFORMED' });
    assert.throws(() => verifyMisconduct(encode({ a, b: a, ...rest })), isLogError);
    assert.throws(() => verifyMisconduct(encode({ a, b, ...rest, k: bob.key.text })), {
      code: 'NOTE_UNKNOWN_KEY',
    });
    assert.throws(() => verifyMisconduct(encode({ a, b, ...rest, x: 1 })), { code: 'MISCONDUCT_MALFORMED' });
  });
}

function turned(misconduct: Misconduct): Misconduct {
  switch (misconduct.kind) {
    case 'fork':
      return { ...misconduct, notes: [misconduct.notes[1], misconduct.notes[0]] };
    case 'rewrite':
      return { ...misconduct, leaves: [misconduct.leaves[1], misconduct.leaves[0]] };
    case 'successors':
      return { ...misconduct, records: [misconduct.records[1], misconduct.records[0]] };
  }
}

test('signatures of others are left out of a proof', () => {
  const both = signed(lied(9), [bob, alice]);
  const bytes = encodeMisconduct({ ...fork, notes: [fork.notes[0], both] });
  assert.deepEqual(Buffer.from(bytes), Buffer.from(encodeMisconduct(fork)));
  const { a, b, ...rest } = decode<Record<'a' | 'b', Uint8Array>>(bytes);
  const isLie = parseNote(a).text === parseNote(both).text;
  const stuffed = isLie ? { a: both, b, ...rest } : { a, b: both, ...rest };
  assert.throws(() => verifyMisconduct(encode(stuffed)), { code: 'MISCONDUCT_MALFORMED' });
});

test('an honest publisher cannot be blamed', () => {
  const [honest, later] = [createTestTree(9), createTestTree(12)];
  const cases: Misconduct[] = [
    { ...fork, notes: [signed(honest), signed(honest)] },
    { ...fork, notes: [signed(honest), signed(later)] },
    { ...rewrite, leaves: [evidence(honest, 5), evidence(later, 5)] },
    { ...twoSuccessors, records: [naming(6, successors[0]), naming(8, successors[0])] },
    { ...twoSuccessors, records: [naming(6, successors[0]), naming(8, undefined)] },
  ];
  for (const misconduct of cases)
    assert.throws(() => encodeMisconduct(misconduct), { code: 'MISCONDUCT_UNPROVEN' });
  // Leaves of two places, or a log that somebody else signed.
  assert.throws(() => encodeMisconduct({ ...rewrite, leaves: [evidence(honest, 5), evidence(honest, 6)] }), {
    code: 'INCLUSION_FAILED',
  });
  assert.throws(() => encodeMisconduct({ ...fork, notes: [signed(honest), signed(lied(9), [bob])] }), {
    code: 'NOTE_UNKNOWN_KEY',
  });
});

test('an altered proof is not accepted', () => {
  fc.assert(
    fc.property(fc.constantFrom(...all.map(encodeMisconduct)), damages, (bytes, damage) => {
      const damaged = Buffer.from(damage(bytes));
      if (!damaged.equals(bytes)) assert.throws(() => verifyMisconduct(damaged), isLogError);
    }),
    { numRuns: 1000 },
  );
});

test('any bytes end in an answer', () => {
  const values = fc.record({
    a: fc.uint8Array(),
    b: fc.uint8Array(),
    k: fc.string(),
    t: fc.constantFrom('fork', 'x'),
  });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        values.map((value) => encode(value)),
      ),
      (bytes) => {
        assert.throws(() => verifyMisconduct(bytes), isLogError);
      },
    ),
  );
  assert.throws(() => verifyMisconduct(Buffer.alloc(65_537)), { code: 'MISCONDUCT_TOO_LARGE' });
});
