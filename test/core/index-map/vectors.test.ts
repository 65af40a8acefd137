/** The vectors hold here and in a second implementation (`index_map.py`, Python's standard library alone). */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fitBin } from '../../../src/core/index-map/fit-bin.ts';
import { decodeBin, EMPTY_LEAF, encodeBin, type IndexBin } from '../../../src/core/index-map/index-bin.ts';
import { applyPart, decodeDelta, deltaByBin, encodeDelta } from '../../../src/core/index-map/index-delta.ts';
import { binNumber, compareNames, type IndexEntry } from '../../../src/core/index-map/index-entry.ts';
import { decodeProof, verifyProof } from '../../../src/core/index-map/map-proof.ts';
import { MerkleTree } from '../../../src/core/index-map/merkle-tree.ts';
import { leafHash } from '../../../src/core/index-map/tree-hash.ts';
import { parseDigest } from '../../../src/core/digest.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { temporaryFolder } from '../../support/disk-store.ts';
import { groundEntries } from './some-entries.ts';

type Tuple = readonly [string, number, string, number];

interface Refused {
  readonly description: string;
  readonly code: string;
}

const folder = new URL('../../vectors/index-map/', import.meta.url);
const load = (name: string): unknown => JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
const bytesOf = (hex: string): Buffer => Buffer.from(hex, 'hex');
const entryOf = ([name, serial, digest, length]: Tuple): IndexEntry => ({
  name: parseProjectName(name),
  serial,
  digest: parseDigest(digest),
  length,
});

const bins = load('bins') as {
  accepted: {
    description: string;
    number: number;
    entries: Tuple[];
    partial: boolean;
    cbor: string;
    leafHash: string;
  }[];
  refused: (Refused & { number: number; cbor: string })[];
};
const map = load('map') as {
  entries: Tuple[];
  partialBins: number[];
  root: string;
  leavesSha256: string;
  emptyRoot: string;
  proofs: { name: string; answer: Tuple | string; proof: string }[];
  refused: (Refused & { name: string; proof: string })[];
};
const delta = load('delta') as {
  accepted: {
    description: string;
    beforeRoot: string;
    afterRoot: string;
    set: Tuple[];
    del: string[];
    p: number[];
    cbor: string;
  }[];
  refused: (Refused & { cbor: string })[];
};

const EMPTY: IndexBin = { entries: [], partial: false };

function wholeMap(): Map<number, IndexBin> {
  const groups = Map.groupBy(map.entries.map(entryOf), ({ name }) => binNumber(name));
  const numbers = new Set([...groups.keys(), ...map.partialBins]);
  return new Map(
    [...numbers].map((number) => [
      number,
      {
        entries: (groups.get(number) ?? []).sort((a, b) => compareNames(a.name, b.name)),
        partial: map.partialBins.includes(number),
      },
    ]),
  );
}

function treeOf(all: ReadonlyMap<number, IndexBin>): MerkleTree {
  const tree = MerkleTree.ofEqualLeaves(EMPTY_LEAF);
  tree.take(tree.plan(new Map([...all].map(([number, bin]) => [number, leafHash(encodeBin(bin))]))));
  return tree;
}

test('bins are encoded, hashed and read as in the vectors', () => {
  assert.ok(bins.accepted.length >= 5);
  for (const vector of bins.accepted) {
    const bin: IndexBin = { entries: vector.entries.map(entryOf), partial: vector.partial };
    assert.equal(Buffer.from(encodeBin(bin)).toString('hex'), vector.cbor, vector.description);
    assert.deepEqual(decodeBin(bytesOf(vector.cbor), vector.number), bin, vector.description);
    assert.equal(leafHash(bytesOf(vector.cbor)).toString('hex'), vector.leafHash, vector.description);
  }
});

test('bins, proofs and deltas that break a rule are refused with the code of that rule', () => {
  assert.ok(bins.refused.length >= 14 && map.refused.length >= 4 && delta.refused.length >= 9);
  for (const { description, code, number, cbor } of bins.refused)
    assert.throws(() => decodeBin(bytesOf(cbor), number), { code }, description);
  for (const { description, code, cbor } of delta.refused)
    assert.throws(() => decodeDelta(bytesOf(cbor)), { code }, description);
  for (const { description, code, name, proof } of map.refused)
    assert.throws(
      () => verifyProof(parseDigest(map.root), parseProjectName(name), decodeProof(bytesOf(proof))),
      { code },
      description,
    );
});

test('the map has the root of the vectors, and their proofs hold', () => {
  const tree = treeOf(wholeMap());
  assert.equal(tree.root(), map.root);
  assert.equal(hash('sha256', tree.leaves(), 'hex'), map.leavesSha256);
  assert.equal(treeOf(new Map()).root(), map.emptyRoot);
  const kinds = map.proofs.map(({ name, answer, proof }) => {
    const said = verifyProof(tree.root(), parseProjectName(name), decodeProof(bytesOf(proof)));
    assert.deepEqual(said, typeof answer === 'string' ? answer : entryOf(answer), name);
    return typeof answer === 'string' ? answer : 'present';
  });
  assert.deepEqual(new Set(kinds), new Set(['present', 'absent', 'unknown']));
});

test('deltas are encoded as in the vectors and lead where they say', () => {
  for (const vector of delta.accepted) {
    const parts = { set: vector.set.map(entryOf), del: vector.del.map(parseProjectName), turned: vector.p };
    assert.equal(Buffer.from(encodeDelta(parts)).toString('hex'), vector.cbor);
    const all = wholeMap();
    assert.equal(treeOf(all).root(), vector.beforeRoot);
    for (const [number, part] of deltaByBin(decodeDelta(bytesOf(vector.cbor))))
      all.set(number, applyPart(all.get(number) ?? EMPTY, part));
    assert.equal(treeOf(all).root(), vector.afterRoot, vector.description);
  }
});

test('the overfull bin keeps what the vector says', () => {
  const over = load('overfull') as {
    number: number;
    kept: number;
    bytes: number;
    partial: boolean;
    leafHash: string;
  };
  const { number, entries } = groundEntries((at) => 300 - at);
  const bin = fitBin(entries);
  const bytes = encodeBin(bin);
  assert.deepEqual(
    {
      number,
      kept: bin.entries.length,
      bytes: bytes.length,
      partial: bin.partial,
      leafHash: leafHash(bytes).toString('hex'),
    },
    {
      number: over.number,
      kept: over.kept,
      bytes: over.bytes,
      partial: over.partial,
      leafHash: over.leafHash,
    },
  );
});

const python = spawnSync('python3', ['--version']).status === 0 ? false : 'no python3 here';
const check = (path: string): ReturnType<typeof spawnSync> =>
  spawnSync('python3', [new URL('index_map.py', import.meta.url).pathname, path], { encoding: 'utf8' });

test('a second implementation agrees with every vector', { skip: python }, () => {
  const { status, stdout, stderr } = check(folder.pathname);
  assert.equal(status, 0, String(stderr));
  assert.deepEqual(JSON.parse(String(stdout)), {
    bins: bins.accepted.length + bins.refused.length,
    proofs: map.proofs.length + map.refused.length,
    deltas: delta.accepted.length + delta.refused.length,
    ground: 300,
  });
});

test('a second implementation notices an altered vector', { skip: python }, async () => {
  await using copy = await temporaryFolder();
  for (const [file, from, to] of [
    ['bins.json', '"BIN_BAD_ORDER"', '"BIN_BAD_NAME"'],
    ['map.json', '"absent"', '"unknown"'],
    ['delta.json', '"pip"', '"pap"'],
    ['overfull.json', '"kept": 2', '"kept": 1'],
  ] as const) {
    cpSync(folder, copy.path, { recursive: true });
    const text = readFileSync(`${copy.path}/${file}`, 'utf8');
    assert.ok(text.includes(from), file);
    writeFileSync(`${copy.path}/${file}`, text.replace(from, to));
    assert.equal(check(copy.path).status, 1, file);
  }
});
