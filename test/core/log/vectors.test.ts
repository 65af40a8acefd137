/** The vectors of the specifications and of Go's implementation, as data for any language: `test/vectors/log`. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { execFile, execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type Digest, digestFromBytes } from '../../../src/core/digest.ts';
import { leafHash } from '../../../src/core/index-map/tree-hash.ts';
import { EMPTY_ROOT, formatCheckpoint, parseCheckpoint } from '../../../src/core/log/checkpoint.ts';
import { verifyAnnouncement } from '../../../src/core/log/announcement.ts';
import { verifyHeadValue } from '../../../src/core/log/head-value.ts';
import { verifyMisconduct } from '../../../src/core/log/misconduct.ts';
import { decodeRecord, recordDigest } from '../../../src/core/log/record.ts';
import { createMemoryLogFiles } from '../../../src/store/publisher-log/log-files.ts';
import { openMemoryPublisherLog } from '../../../src/store/publisher-log/open-publisher-log.ts';
import { alice, appendUpTo } from '../../store/publisher-log/contract.ts';
import { temporaryFolder } from '../../support/disk-store.ts';
import { formatNote, openNote, parseNote, signNote } from '../../../src/core/log/note.ts';
import { parseSignerKey } from '../../../src/core/log/signer-key.ts';
import { parseTilePath, type Tile, tilePath } from '../../../src/core/log/tiles.ts';
import { checkConsistency, checkInclusion } from '../../../src/core/log/tree-proofs.ts';
import { formatKeyId, parseVerifierKey } from '../../../src/core/log/verifier-key.ts';

const folder = new URL('../../vectors/log/', import.meta.url);
const load = (name: string): unknown => JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
const vectorsOf = (name: string): unknown[] => (load(name) as { vectors: unknown[] }).vectors;
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

interface KeyVector {
  readonly description: string;
  readonly verifierKey: string;
  readonly signerKey?: string;
  readonly name?: string;
  readonly id?: string;
  readonly algorithm?: number;
  readonly error?: string;
}

for (const vector of vectorsOf('keys.json') as KeyVector[]) {
  test(`key: ${vector.description}`, () => {
    if (vector.error !== undefined) {
      assert.throws(() => parseVerifierKey(vector.verifierKey), { code: vector.error });
      return;
    }
    const key = parseVerifierKey(vector.verifierKey);
    assert.deepEqual(
      [key.name, formatKeyId(key.id), key.algorithm],
      [vector.name, vector.id, vector.algorithm],
    );
    if (vector.signerKey !== undefined)
      assert.equal(parseSignerKey(vector.signerKey).key.text, vector.verifierKey);
  });
}

interface NoteVector {
  readonly description: string;
  readonly note?: string;
  readonly noteBase64?: string;
  readonly keys: string[];
  readonly signerKey?: string;
  readonly text?: string;
  readonly verified?: string[];
  readonly unverified?: string[];
  readonly error?: string;
}

for (const vector of vectorsOf('notes.json') as NoteVector[]) {
  test(`note: ${vector.description}`, () => {
    const bytes = Buffer.from(
      vector.note ?? vector.noteBase64 ?? '',
      vector.note === undefined ? 'base64' : 'utf8',
    );
    const keys = vector.keys.map(parseVerifierKey);
    if (vector.error !== undefined) {
      assert.throws(() => openNote(bytes, keys), { code: vector.error });
      return;
    }
    const opened = openNote(bytes, keys);
    assert.equal(opened.text, vector.text);
    assert.deepEqual(
      opened.verified.map(({ name }) => name),
      vector.verified,
    );
    assert.deepEqual(
      opened.unverified.map(({ name }) => name),
      vector.unverified,
    );
    assert.deepEqual(Buffer.from(formatNote(parseNote(bytes))), bytes);
    if (vector.signerKey !== undefined)
      assert.deepEqual(Buffer.from(signNote(opened.text, [parseSignerKey(vector.signerKey)])), bytes);
  });
}

interface CheckpointVector {
  readonly description: string;
  readonly text: string;
  readonly error?: string;
}

for (const { description, text, error, ...expected } of vectorsOf('checkpoints.json') as CheckpointVector[]) {
  test(`checkpoint: ${description}`, () => {
    if (error !== undefined) {
      assert.throws(() => parseCheckpoint(text), { code: error });
      return;
    }
    const checkpoint = parseCheckpoint(text);
    assert.deepEqual({ ...checkpoint }, expected);
    assert.equal(formatCheckpoint(checkpoint), text);
  });
}

for (const vector of vectorsOf('tiles.json') as (Tile & { path: string; error?: true })[]) {
  test(`tile path: ${vector.path}`, () => {
    const { path, error, ...tile } = vector;
    assert.deepEqual(parseTilePath(path), error ? undefined : tile);
    if (!error) assert.equal(tilePath(tile), path);
  });
}

interface TreeVectors {
  readonly emptyRoot: Digest;
  readonly leaves: string[];
  readonly roots: Digest[];
  readonly inclusion: { index: number; size: number; proof: string[] }[];
  readonly consistency: { from: number; to: number; proof: string[] }[];
}

test('tree: inclusion and consistency of the reference leaves', () => {
  const { emptyRoot, leaves, roots, inclusion, consistency } = load('tree.json') as TreeVectors;
  assert.equal(EMPTY_ROOT, emptyRoot);
  const head = (size: number): { size: number; root: Digest } => ({ size, root: roots[size - 1] as Digest });
  assert.equal(inclusion.length, 36);
  for (const { index, size, proof } of inclusion) {
    const leaf = digestFromBytes(leafHash(hex(leaves[index] as string)));
    checkInclusion(head(size), index, leaf, proof.map(hex));
  }
  assert.equal(consistency.length, 36);
  for (const { from, to, proof } of consistency) checkConsistency(head(from), head(to), proof.map(hex));
});

interface RecordVector {
  readonly description: string;
  readonly index: number;
  readonly text: string;
  readonly digest?: string;
  readonly error?: string;
}

for (const { description, index, text, digest, error } of vectorsOf('records.json') as RecordVector[]) {
  test(`record: ${description}`, () => {
    const bytes = Buffer.from(text);
    if (error !== undefined) {
      assert.throws(() => decodeRecord(bytes, index), { code: error });
      return;
    }
    decodeRecord(bytes, index);
    assert.equal(recordDigest(bytes), digest);
  });
}

interface MessageVector {
  readonly description: string;
  readonly kind: 'announcement' | 'head value' | 'misconduct';
  readonly hex: string;
  readonly keys?: string[];
  readonly key?: string;
  readonly size?: number;
  readonly error?: string;
}

/** What a message is found to say: a head's size, or whose misconduct it is. */
function readMessage({ kind, keys = [], key = '', ...vector }: MessageVector): number | string {
  const bytes = hex(vector.hex);
  if (kind === 'announcement') return verifyAnnouncement(bytes, keys.map(parseVerifierKey)).checkpoint.size;
  if (kind === 'head value') return verifyHeadValue(hex(key), bytes).checkpoint.size;
  return verifyMisconduct(bytes).key.text;
}

for (const vector of vectorsOf('messages.json') as MessageVector[]) {
  test(`${vector.kind}: ${vector.description}`, () => {
    if (vector.error !== undefined) assert.throws(() => readMessage(vector), { code: vector.error });
    else assert.equal(readMessage(vector), vector.size ?? vector.key);
  });
}

const script = new URL('../../support/second-implementation/log.py', import.meta.url).pathname;

function pythonMissing(): string | false {
  try {
    execFileSync('python3', ['-c', 'import hashlib'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'no python3 here';
  }
}

/** Runs Python; what it says fails the test unless all holds. */
async function checkWithPython(...words: string[]): Promise<number> {
  const { stdout } = await promisify(execFile)('python3', ['-B', script, ...words], { timeout: 30_000 });
  const { checked, failed } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, number>;
  assert.equal(failed, 0, stdout);
  return checked ?? 0;
}

test(
  'a second implementation, made from the specifications alone, agrees on every vector',
  { skip: pythonMissing() },
  async () => {
    const files = ['keys', 'notes', 'checkpoints', 'records', 'messages'];
    const counts = files.map((name) => vectorsOf(`${name}.json`).length);
    const { inclusion, consistency, roots } = load('tree.json') as TreeVectors;
    const expected = counts.reduce(
      (sum, count) => sum + count,
      1 + roots.length + inclusion.length + consistency.length,
    );
    assert.equal(await checkWithPython('vectors', folder.pathname), expected);
  },
);

test('a second implementation checks a log as it is served', { skip: pythonMissing() }, async () => {
  const files = createMemoryLogFiles();
  const paths = new Set<string>();
  const write: typeof files.write = async (path, bytes) => {
    paths.add(path);
    await files.write(path, bytes);
  };
  await using log = await openMemoryPublisherLog([alice], { ...files, write });
  for (const size of [1, 255, 256, 300]) {
    await appendUpTo(log, size);
    await using place = await temporaryFolder();
    for (const path of paths) {
      const bytes = await files.read(path);
      if (bytes === undefined) continue;
      await mkdir(dirname(join(place.path, path)), { recursive: true });
      await writeFile(join(place.path, path), bytes);
    }
    assert.ok((await checkWithPython('folder', place.path, alice.key.text)) > size);
  }
});
