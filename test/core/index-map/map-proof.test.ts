import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvalidIndexMapError } from '../../../src/core/errors.ts';
import { encodeBin, EMPTY_BIN, type IndexBin } from '../../../src/core/index-map/index-bin.ts';
import { fitBin } from '../../../src/core/index-map/fit-bin.ts';
import { binNumber } from '../../../src/core/index-map/index-entry.ts';
import {
  decodeProof,
  encodeProof,
  type MapProof,
  verifyProof,
} from '../../../src/core/index-map/map-proof.ts';
import { MerkleTree } from '../../../src/core/index-map/merkle-tree.ts';
import { leafHash } from '../../../src/core/index-map/tree-hash.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { entryFor, grind, groundEntries } from './some-entries.ts';

const empty = MerkleTree.ofEqualLeaves(leafHash(EMPTY_BIN));

function mapWith(number: number, bytes: Uint8Array): { tree: MerkleTree; proof: MapProof } {
  const tree = empty.copy();
  tree.take(tree.plan(new Map([[number, leafHash(bytes)]])));
  return { tree, proof: { bin: bytes, path: tree.path(number) } };
}

const flask = entryFor('flask', 7);
const number = binNumber(flask.name);
const [neighbour = ''] = grind(number, 1);
const whole: IndexBin = { entries: [flask], partial: false };
const { tree, proof } = mapWith(number, encodeBin(whole));

const fails = (work: () => unknown, code: string): void =>
  assert.throws(work, (error) => error instanceof InvalidIndexMapError && error.code === code);

test('a proof shows an entry, an absence, and that a partial bin says nothing of an absence', () => {
  assert.deepEqual(verifyProof(tree.root(), flask.name, proof), flask);
  assert.equal(verifyProof(tree.root(), parseProjectName(neighbour), proof), 'absent');
  const partial = mapWith(number, encodeBin({ ...whole, partial: true }));
  assert.equal(verifyProof(partial.tree.root(), parseProjectName(neighbour), partial.proof), 'unknown');
  assert.deepEqual(verifyProof(partial.tree.root(), flask.name, partial.proof), flask);
});

test('absence is not proven with the bin of another name', () => {
  const other = parseProjectName('django');
  assert.notEqual(binNumber(other), number);
  fails(() => verifyProof(tree.root(), other, proof), 'PROOF_WRONG_ROOT');
  fails(
    () => verifyProof(tree.root(), flask.name, { bin: EMPTY_BIN, path: tree.path(number ^ 1) }),
    'PROOF_WRONG_ROOT',
  );
});

test('no altered proof is accepted', () => {
  const bytes = encodeProof(proof);
  assert.deepEqual(verifyProof(tree.root(), flask.name, decodeProof(bytes)), flask);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const altered = Buffer.from(bytes);
      altered[at] = (altered[at] ?? 0) ^ flip;
      fails(() => verifyProof(tree.root(), flask.name, decodeProof(altered)), 'PROOF_WRONG_ROOT');
    }),
    { numRuns: 500 },
  );
  for (const length of [0, 1, 511, 512, 512 + 65_537])
    fails(() => decodeProof(new Uint8Array(length)), 'PROOF_MALFORMED');
  fails(
    () => verifyProof(tree.root(), flask.name, { ...proof, path: new Uint8Array(480) }),
    'PROOF_MALFORMED',
  );
});

test("a bad bin under the right root is the publisher's fault, and has a code of its own", () => {
  const bad = mapWith(number, encodeBin({ entries: [entryFor('django')], partial: false }));
  fails(() => verifyProof(bad.tree.root(), flask.name, bad.proof), 'BIN_FOREIGN_NAME');
  const large = groundEntries();
  const sorted = fitBin(large.entries).entries;
  const over = mapWith(large.number, encodeBin({ entries: [...sorted, ...large.entries], partial: false }));
  fails(() => verifyProof(over.tree.root(), large.entries[0]!.name, over.proof), 'BIN_TOO_LARGE');
});
