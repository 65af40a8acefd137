/** All that strangers' bytes are read by. To add a reader, add one line to `targets`. */
import fc, { type Arbitrary } from 'fast-check';
import { isUtf8 } from 'node:buffer';
import { readdirSync, readFileSync } from 'node:fs';
import { canonicalPage } from '../src/core/canonical-page.ts';
import { type Digest, digestFromBytes, digestToBytes } from '../src/core/digest.ts';
import {
  ConfigurationError,
  InvalidContentError,
  InvalidIndexMapError,
  InvalidLogError,
  InvalidNameError,
} from '../src/core/errors.ts';
import { applyPart, decodeDelta, deltaByBin, encodeDelta } from '../src/core/index-map/index-delta.ts';
import { checkBinSize, decodeBin, encodeBin, type IndexBin } from '../src/core/index-map/index-bin.ts';
import { binNumber, compareNames, type IndexEntry } from '../src/core/index-map/index-entry.ts';
import { decodeProof, encodeProof, verifyProof } from '../src/core/index-map/map-proof.ts';
import { MerkleTree } from '../src/core/index-map/merkle-tree.ts';
import { decodeNames, encodeNames } from '../src/core/index-map/name-list.ts';
import { leafHash, nodeHash } from '../src/core/index-map/tree-hash.ts';
import { encodePart, readParts } from '../src/core/index-messages/answer-parts.ts';
import {
  claimsMisconduct,
  decodeBundle,
  decodeHashes,
  decodeLeafProof,
  decodeNumberedBin,
  encodeBundle,
  encodeLeafProof,
  encodeNumberedBin,
} from '../src/core/index-messages/index-answers.ts';
import {
  binRuns,
  decodeIndexRequest,
  encodeIndexRequest,
  type IndexRequest,
} from '../src/core/index-messages/index-request.ts';
import {
  decodeAnnouncement,
  encodeAnnouncement,
  verifyAnnouncement,
  verifyHead,
} from '../src/core/log/announcement.ts';
import { EMPTY_ROOT, formatCheckpoint, openCheckpoint, parseCheckpoint } from '../src/core/log/checkpoint.ts';
import { cosignedMessage } from '../src/core/log/cosignature.ts';
import { createEd25519Signer } from '../src/core/log/ed25519.ts';
import { addPublisher, removePublisher, setThreshold } from '../src/core/log/edit-policy.ts';
import {
  encodeHeadValue,
  headValueKey,
  headValueRules,
  verifyHeadValue,
} from '../src/core/log/head-value.ts';
import { encodeMisconduct, type Misconduct, verifyMisconduct } from '../src/core/log/misconduct.ts';
import { formatNote, openNote, parseNote, signNote } from '../src/core/log/note.ts';
import { formatPolicy, parsePolicy } from '../src/core/log/policy-file.ts';
import { policyOf } from '../src/core/log/policy.ts';
import { decodeRecord, encodeRecord, isKnownRecord, recordDigest } from '../src/core/log/record.ts';
import type { Signer } from '../src/core/log/signer-key.ts';
import {
  decodeBundle as decodeEntries,
  encodeBundle as encodeEntries,
  hashInTile,
  parseTilePath,
  placeOf,
  tilePath,
} from '../src/core/log/tiles.ts';
import { rangeFold } from '../src/core/log/tree-nodes.ts';
import { checkConsistency, checkInclusion } from '../src/core/log/tree-proofs.ts';
import { algorithms, createVerifierKey, parseVerifierKey } from '../src/core/log/verifier-key.ts';
import { parseProjectName } from '../src/core/project-name.ts';
import { readPageHtml } from '../src/core/read-page-html.ts';
import { readPageJson } from '../src/core/read-page-json.ts';
import { anyEntries, entryFor } from '../test/core/index-map/some-entries.ts';
import {
  announcements,
  digests,
  keyNames,
  noteTexts,
  records,
  signerOf,
} from '../test/core/log/arbitraries.ts';
import { createTestTree, type TestTree } from '../test/support/test-tree.ts';
import type { Reading, Target } from './fuzz-case.ts';
import { frameTargets } from './fuzz-frames.ts';
import { nameProofTarget } from './fuzz-name-proof.ts';

const alice = signerOf('alice.example/log', 1);
const bob = signerOf('bob.example/log', 2);
const successor = signerOf('alice.example/log', 3);
const keys = [alice.key, bob.key];
const log = [InvalidLogError] as const;
const map = [InvalidIndexMapError] as const;

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const u16 = (value: number): Buffer => Buffer.of(value >> 8, value & 255);
const blob = fc.uint8Array({ maxLength: 300 });
const hashes = fc.array(
  digests.map((digest) => digestToBytes(digest)),
  { maxLength: 20 },
);
const sizes = fc.oneof(fc.nat(1000), fc.maxSafeNat());
const binNumbers = fc.nat(65_535);

// Notes and checkpoints.

/** A witness's line, over a note's text. */
const witness = createEd25519Signer(Buffer.alloc(32, 9));
const witnessKey = createVerifierKey('witness.example', algorithms.cosignature, witness.publicKey);

function cosigned(note: Uint8Array, time: number): Uint8Array {
  const { text, signatures } = parseNote(note);
  const stamp = Buffer.alloc(8);
  stamp.writeBigUInt64BE(BigInt(time));
  const bytes = Buffer.concat([stamp, witness.sign(cosignedMessage(Buffer.from(text), BigInt(time)))]);
  return formatNote({
    text,
    signatures: [...signatures, { name: witnessKey.name, id: witnessKey.id, bytes }],
  });
}

const signers = fc.subarray<Signer>([alice, bob, successor], { minLength: 1 });
const notes = fc.tuple(noteTexts, signers).map(([text, by]) => signNote(text, by));
const checkpointTexts = fc
  .record({
    origin: fc.oneof(fc.constant(alice.key.name), keyNames),
    size: sizes.map((size) => size + 1).filter(Number.isSafeInteger),
    root: digests,
    extensions: fc.array(fc.stringMatching(/^[a-z ]{1,20}$/), { maxLength: 3 }),
  })
  .map((head) => formatCheckpoint(head));
const checkpoints = fc
  .tuple(checkpointTexts, fc.nat(1e9), fc.boolean())
  .filter(([text]) => text.startsWith(`${alice.key.name}\n`))
  .map(([text, time, seen]) => (seen ? cosigned(signNote(text, [alice]), time) : signNote(text, [alice])));

/** A text whose bytes are UTF-8, as whoever calls the reader has it. */
function textOf(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new InvalidLogError('KEY_MALFORMED', 'is no text');
  return Buffer.from(bytes).toString();
}

// A log of which everything is known: what a proof shows must be so.

const tree = createTestTree(256);
const treeSizes = [1, 2, 3, 7, 8, 100, 129, 255, 256];
const roots = new Map<number, Digest>(treeSizes.map((size) => [size, tree.root(size)]));
const rootOf = (size: number): Digest =>
  roots.get(size) ??
  (() => {
    throw new InvalidLogError('CHECKPOINT_MALFORMED', 'is no head that was signed');
  })();
const somePair = fc
  .tuple(fc.constantFrom(...treeSizes), fc.constantFrom(...treeSizes))
  .map((pair) => pair.toSorted((a, b) => a - b) as [number, number]);

/** Two numbers of two bytes each, then hashes. */
function numbersAndHashes(bytes: Uint8Array): [number, number, Uint8Array[]] {
  const buffer = Buffer.from(bytes);
  if (buffer.length < 4) throw new InvalidLogError('MESSAGE_MALFORMED', 'is cut off');
  return [buffer.readUInt16BE(0), buffer.readUInt16BE(2), [...decodeHashes(buffer.subarray(4))]];
}

function readInclusion(bytes: Uint8Array): Reading {
  const [index, size, [leaf = Buffer.alloc(32), ...proof]] = numbersAndHashes(bytes);
  const digest = digestFromBytes(leaf);
  checkInclusion({ size, root: rootOf(size) }, index, digest, proof);
  return { again: Buffer.concat([u16(index), u16(size), leaf, ...proof]), claims: [`${index} ${digest}`] };
}

function readConsistency(bytes: Uint8Array): Reading {
  const [from, to, [old = Buffer.alloc(32), ...proof]] = numbersAndHashes(bytes);
  const older = { size: from, root: digestFromBytes(old) };
  checkConsistency(older, { size: to, root: rootOf(to) }, proof);
  return { again: Buffer.concat([u16(from), u16(to), old, ...proof]), claims: [`${from} ${older.root}`] };
}

/** The only tile of a log, not full, below its path. */
function readTile(bytes: Uint8Array): Reading {
  const end = Buffer.from(bytes).indexOf('\n');
  const path = Buffer.from(bytes.subarray(0, Math.max(0, end))).toString('latin1');
  const data = bytes.subarray(end + 1);
  const tile = parseTilePath(path);
  if (tile === undefined) throw new InvalidLogError('TILE_MALFORMED', 'is not the path of a tile');
  const parts = rangeFold(0, tile.width).map((node) => {
    const place = placeOf(node, tile.width);
    return hashInTile(place, data);
  });
  const root = digestFromBytes(parts.reduceRight((right, left) => nodeHash(left, right)));
  if (root !== rootOf(tile.width)) throw new InvalidLogError('TILE_MALFORMED', 'leads to another root');
  return { again: Buffer.concat([Buffer.from(`${tilePath(tile)}\n`), data]), claims: [base64(data)] };
}

// Proofs of misconduct by alice.

const lied = createTestTree(4);
for (let i = 4; i < 40; i++) lied.add(recordDigest(Buffer.from(`lie ${i}`)));

function signedHead(of: TestTree, size: number): Uint8Array {
  const head = { origin: alice.key.name, size, root: of.root(size), extensions: [] };
  return signNote(formatCheckpoint(head), [alice]);
}

const misconducts: Arbitrary<Misconduct> = fc.oneof(
  fc.integer({ min: 5, max: 40 }).map((size): Misconduct => ({
    kind: 'fork',
    key: alice.key,
    notes: [signedHead(tree, size), signedHead(lied, size)],
  })),
  fc
    .tuple(fc.integer({ min: 4, max: 19 }), fc.integer({ min: 20, max: 40 }))
    .map(([index, size]): Misconduct => {
      const leaf = (of: TestTree, at: number) => ({
        checkpoint: signedHead(of, at),
        leaf: digestFromBytes(of.leaves[index] as Buffer),
        proof: of.proveInclusion(index, at),
      });
      return { kind: 'rewrite', key: alice.key, index, leaves: [leaf(tree, 20), leaf(lied, size)] };
    }),
  fc
    .tuple(fc.integer({ min: 2, max: 9 }), records(1), fc.constantFrom(bob.key.text, alice.key.text))
    .map(([size, made, next]): Misconduct => {
      const naming = (at: number, name: string) => {
        const record = encodeRecord({ ...made, retractions: [], seq: at - 1, successor: name });
        const leaves = createTestTree(at - 1);
        leaves.add(recordDigest(record));
        return {
          checkpoint: signedHead(leaves, at),
          index: at - 1,
          record,
          proof: leaves.proveInclusion(at - 1),
        };
      };
      const both = [naming(size, successor.key.text), naming(size + 1, next)] as const;
      return { kind: 'successors', key: alice.key, records: both };
    }),
);

/** Its two signed texts: what the culprit did sign. */
function misconductClaims(misconduct: Misconduct): string[] {
  const sides =
    misconduct.kind === 'fork'
      ? misconduct.notes
      : (misconduct.kind === 'rewrite' ? misconduct.leaves : misconduct.records).map(
          (side) => side.checkpoint,
        );
  return sides.map((note) => `${misconduct.key.text} ${parseNote(note).text}`);
}

function announced(bytes: Uint8Array): Reading {
  claimsMisconduct(bytes);
  const { announcement } = verifyAnnouncement(bytes, keys);
  return { again: encodeAnnouncement(announcement), claims: [base64(bytes)] };
}

/** A record as its publisher signed it, whatever is in it. */
function signedRecord(bytes: Uint8Array): Reading {
  const leaves = createTestTree(7);
  leaves.add(recordDigest(bytes));
  const head = { checkpoint: signedHead(leaves, 8), record: bytes, proof: leaves.proveInclusion(7) };
  verifyHead(decodeAnnouncement(encodeAnnouncement(head)), keys);
  return { again: bytes };
}

/** The leaf's index, then the record. */
function readRecord(bytes: Uint8Array): Reading {
  const record = decodeRecord(bytes.subarray(1), bytes[0] ?? 0);
  if (!isKnownRecord(record)) return { again: bytes };
  return { again: Buffer.concat([bytes.subarray(0, 1), encodeRecord(record)]) };
}

// Policies.

const publisherKeys = Array.from({ length: 6 }, (_, i) => signerOf(`p${i}.example/log`, 20 + i).key);
const policies = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom('1', 'any', 'all'), fc.boolean())
  .map(([count, threshold, commented]) => {
    const some = publisherKeys.slice(0, count);
    const lines = [
      ...(commented ? ['# whom we trust \u2026', ''] : []),
      ...some.map(({ text }) => `log ${text} https://log.example/`),
      ...some.map(({ text }, i) => `witness p${i}  ${text}`),
      `group publishers ${threshold} ${some.map((_, i) => `p${i}`).join(' ')}`,
      'quorum publishers',
    ];
    return Buffer.from(`${lines.join('\n')}\n`);
  });

function readPolicy(bytes: Uint8Array): Reading {
  const file = parsePolicy(bytes, 'policy');
  const again = formatPolicy(file);
  // A person's file may lack its last newline.
  const of = bytes.at(-1) === 0x0a || again.length === 0 ? bytes : Buffer.concat([bytes, Buffer.from('\n')]);
  const { publishers } = policyOf(file);
  const attempts = [
    () => setThreshold(file, publishers.length),
    () => addPublisher(file, { verifierKey: successor.key.text, name: 'new', url: 'https://new.example/' }),
    ...publishers.slice(0, 2).map(
      ({ name }) =>
        () =>
          removePublisher(file, name),
    ),
  ];
  for (const attempt of attempts) {
    try {
      attempt();
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
    }
  }
  return { again, of };
}

// The index map: one map of which everything is known.

const mapNames = Array.from({ length: 300 }, (_, i) => `project-${i}`);
const mapEntries = new Map<string, IndexEntry>(mapNames.map((name, i) => [name, entryFor(name, i, 10 * i)]));
const mapBins = new Map<number, IndexBin>();
for (const entry of mapEntries.values()) {
  const number = binNumber(entry.name);
  const before = mapBins.get(number)?.entries ?? [];
  const entries = [...before, entry].sort((a, b) => compareNames(a.name, b.name));
  mapBins.set(number, { entries, partial: false });
}
const EMPTY: IndexBin = { entries: [], partial: false };
const mapTree = MerkleTree.ofEqualLeaves(leafHash(encodeBin(EMPTY)));
mapTree.take(mapTree.plan(new Map([...mapBins].map(([number, bin]) => [number, leafHash(encodeBin(bin))]))));
const mapRoot = mapTree.root();

const mapProofs = fc.constantFrom(...mapNames, 'nobody', 'missing').map((name) => {
  const number = binNumber(parseProjectName(name));
  const proof = { bin: encodeBin(mapBins.get(number) ?? EMPTY), path: mapTree.path(number) };
  return Buffer.concat([Buffer.from(`${name}\n`), encodeProof(proof)]);
});

const answerClaim = (name: string, answer: IndexEntry | string): string =>
  `${name}: ${typeof answer === 'string' ? answer : `${answer.serial} ${answer.digest} ${answer.length}`}`;
const mapTruth = (claim: string): boolean => {
  const name = claim.slice(0, claim.indexOf(': '));
  return claim === answerClaim(name, mapEntries.get(name) ?? 'absent');
};

/** The name that was asked for, then the proof. */
function readMapProof(bytes: Uint8Array): Reading {
  const end = Buffer.from(bytes).indexOf('\n');
  const name = parseProjectName(Buffer.from(bytes.subarray(0, Math.max(0, end))).toString('latin1'));
  const proof = decodeProof(bytes.subarray(end + 1));
  const answer = verifyProof(mapRoot, name, proof);
  return { again: encodeProof(proof), of: bytes.subarray(end + 1), claims: [answerClaim(name, answer)] };
}

function binOf(entries: readonly IndexEntry[], partial: boolean): Uint8Array {
  const [first] = entries;
  const number = first === undefined ? 7 : binNumber(first.name);
  const own = entries.filter(({ name }) => binNumber(name) === number);
  return encodeNumberedBin({ number, bytes: encodeBin({ entries: own, partial }) });
}

function readNumberedBin(part: Uint8Array): Reading {
  const { number, bytes } = decodeNumberedBin(part);
  return { again: encodeNumberedBin({ number, bytes: encodeBin(decodeBin(bytes, number)) }) };
}

/** Several names of one bin, and of any. */
const fullBins = fc.oneof(
  fc.tuple(anyEntries, fc.boolean()).map(([entries, partial]) => binOf(entries, partial)),
  fc
    .constantFrom(...mapBins)
    .map(([number, bin]) => encodeNumberedBin({ number, bytes: encodeBin({ ...bin, partial: true }) })),
);

const deltas = fc
  .tuple(anyEntries, fc.array(fc.constantFrom('x1', 'x2', 'x3', ...mapNames)), fc.array(binNumbers))
  .map(([set, del, turned]) => {
    const names = new Set<string>(set.map(({ name }) => name));
    const ascending = [...new Set(del)]
      .filter((name) => !names.has(name))
      .map((name) => parseProjectName(name));
    return encodeDelta({
      set: set.toSorted((a, b) => compareNames(a.name, b.name)),
      del: ascending.toSorted(compareNames),
      turned: [...new Set(turned)].toSorted((a, b) => a - b),
    });
  });

/** Applied to the map, it leads to a root: another delta with the same root has made the same map. */
function applyDelta(bytes: Uint8Array): Reading {
  const delta = decodeDelta(bytes);
  const leaves = new Map<number, Uint8Array>();
  const changed: string[] = [];
  for (const [number, part] of deltaByBin(delta)) {
    const after = encodeBin(applyPart(mapBins.get(number) ?? EMPTY, part));
    checkBinSize(after, number);
    decodeBin(after, number);
    leaves.set(number, leafHash(after));
    const same = Buffer.compare(after, encodeBin(mapBins.get(number) ?? EMPTY)) === 0;
    if (!same) changed.push(`${number} ${base64(after)}`);
  }
  const { root } = mapTree.plan(leaves);
  seenRoots.record(root, changed.toSorted().join('\n'));
  return { again: encodeDelta(delta) };
}

/** One root, one map. */
const seenRoots = {
  last: new Map<string, string>(),
  record(root: string, content: string): void {
    const before = this.last.get(root);
    if (before !== undefined && before !== content) throw new Error(`two maps have the root ${root}`);
    if (this.last.size > 2000) this.last.clear();
    this.last.set(root, content);
  },
};

// What peers say on the index channel.

const requests: Arbitrary<IndexRequest> = fc.oneof(
  fc
    .array(fc.tuple(keyNames, sizes), { maxLength: 5 })
    .map((list): IndexRequest => ({ q: 'heads', sizes: new Map(list) })),
  fc
    .tuple(keyNames, fc.uniqueArray(sizes, { minLength: 2, maxLength: 2 }), fc.boolean())
    .map(([origin, pair, range]): IndexRequest => {
      const [from = 0, to = 1] = pair.toSorted((a, b) => a - b);
      return { q: range ? 'range' : 'consistency', origin, from, to };
    }),
  fc.tuple(keyNames, fc.nat(), fc.nat()).map(([origin, index, more]): IndexRequest => ({
    q: 'inclusion',
    origin,
    index,
    size: index + more + 1,
  })),
  digests.map((digest): IndexRequest => ({ q: 'object', digest })),
  fc.tuple(digests, fc.uniqueArray(binNumbers, { minLength: 1 })).map(([leaves, list]): IndexRequest => ({
    q: 'bins',
    leaves,
    runs: binRuns(list.toSorted((a, b) => a - b)),
  })),
  binNumbers.map((bin): IndexRequest => ({ q: 'bundles', bin })),
);

/** How large the chunks are that the parts come in, then the parts. */
async function readChunks(bytes: Uint8Array): Promise<Reading> {
  const size = 1 + (bytes[0] ?? 0);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 1; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const again: Uint8Array[] = [bytes.subarray(0, 1)];
  for await (const part of readParts(chunks(), 2000)) again.push(encodePart(part));
  return { again: Buffer.concat(again) };
}

// Pages: the vectors, each with its own settings; the first byte says which.

interface PageVector {
  readonly format: 'json' | 'html';
  readonly project: string;
  readonly pageUrl: string;
  readonly fileOrigin: string;
  readonly input: string;
  readonly refused?: string;
}
const vectorFolder = new URL('../test/vectors/canonical-page/', import.meta.url);
const vectors = readdirSync(vectorFolder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(new URL(name, vectorFolder), 'utf8')) as PageVector)
  .filter(({ refused }) => refused === undefined);
const vectorsOf = (format: 'json' | 'html'): Arbitrary<Uint8Array> =>
  fc
    .constantFrom(...vectors.filter((vector) => vector.format === format))
    .map((vector) => Buffer.concat([Buffer.of(vectors.indexOf(vector)), Buffer.from(vector.input)]));

/** A page that has a canonical form has one: its canonical form is its own. */
function readPage(bytes: Uint8Array): Reading {
  const vector = vectors[(bytes[0] ?? 0) % vectors.length] as PageVector;
  const project = parseProjectName(vector.project);
  const { fileOrigin } = vector;
  const options = { url: vector.pageUrl, project };
  const body = bytes.subarray(1);
  const page =
    vector.format === 'json' ? readPageJson(body, { ...options, strict: true }) : readPageHtml(body, options);
  const canonical = canonicalPage(page, { fileOrigin });
  const reread = readPageJson(canonical, { url: `${fileOrigin}/simple/`, project, strict: true });
  return { again: canonicalPage(reread, { fileOrigin }), of: canonical };
}

/** By the reader's name; `log:` what publishers sign, `map:` the index map, `say:` what peers say. */
export const targets: readonly Target[] = [
  { name: 'note', format: 'text', refusals: log, valid: notes, read: (bytes) => ({ again: formatNote(parseNote(bytes)) }) },
  { name: 'signed-note', format: 'text', refusals: log, valid: notes.filter(isKnown), read: readSignedNote },
  { name: 'checkpoint-text', format: 'text', refusals: log, valid: checkpointTexts.map((text) => Buffer.from(text)), read: (bytes) => ({ again: Buffer.from(formatCheckpoint(parseCheckpoint(textOf(bytes)))) }) },
  { name: 'checkpoint', format: 'text', refusals: log, valid: checkpoints, read: readCheckpointNote },
  { name: 'verifier-key', format: 'text', refusals: log, valid: fc.constantFrom(...publisherKeys, witnessKey, ...keys).map(({ text }) => Buffer.from(text)), read: readKey },
  { name: 'record', format: 'json', head: () => 1, refusals: log, valid: fc.nat(255).chain((seq) => records(seq).map((record) => Buffer.concat([Buffer.of(seq), encodeRecord(record)]))), read: readRecord },
  { name: 'signed-record', format: 'json', refusals: log, valid: records(7).map((record) => encodeRecord({ ...record, successor: successor.key.text })), read: signedRecord },
  { name: 'announcement', format: 'cbor', refusals: log, valid: announcements(alice, 200).map(encodeAnnouncement), read: announced },
  { name: 'head-value', format: 'cbor', refusals: log, valid: announcements(alice, 20).filter(isSmall).map((head) => encodeHeadValue(alice.key, head)), read: readHeadValue },
  { name: 'misconduct', format: 'cbor', refusals: log, valid: misconducts.map(encodeMisconduct), read: readMisconduct },
  { name: 'entries', format: 'binary', refusals: log, valid: fc.array(blob, { maxLength: 20 }).map((entries) => Buffer.concat([u16(entries.length), encodeEntries(entries)])), read: readEntries },
  { name: 'tile', format: 'binary', refusals: log, valid: fc.constantFrom(...treeSizes.filter((size) => size < 256)).map((width) => Buffer.concat([Buffer.from(`${tilePath({ level: 0, index: 0, width })}\n`), ...tree.leaves.slice(0, width)])), read: readTile },
  { name: 'inclusion', format: 'binary', refusals: log, valid: fc.tuple(fc.constantFrom(...treeSizes), fc.nat(255)).map(([size, at]) => Buffer.concat([u16(at % size), u16(size), tree.leaves[at % size] as Buffer, ...tree.proveInclusion(at % size, size)])), read: readInclusion, isTrue: (claim) => claim === leafClaim(claim) },
  { name: 'consistency', format: 'binary', refusals: log, valid: somePair.map(([from, to]) => Buffer.concat([u16(from), u16(to), Buffer.from(rootOf(from), 'hex'), ...tree.proveConsistency(from, to)])), read: readConsistency, isTrue: (claim) => claim === rootClaim(claim) },
  { name: 'policy', format: 'text', refusals: [ConfigurationError], valid: policies, read: readPolicy },
  { name: 'bin', format: 'cbor', head: () => 2, refusals: [...map, ...log], valid: fullBins, read: readNumberedBin },
  { name: 'delta', format: 'cbor', refusals: map, valid: deltas, read: (bytes) => ({ again: encodeDelta(decodeDelta(bytes)) }) },
  { name: 'applied-delta', format: 'cbor', refusals: map, valid: deltas, read: applyDelta },
  { name: 'map-proof', format: 'cbor', head: (bytes) => Buffer.from(bytes).indexOf('\n') + 1 + 512, refusals: [...map, InvalidNameError], valid: mapProofs, read: readMapProof, isTrue: mapTruth },
  { name: 'names', format: 'text', refusals: [InvalidContentError], valid: anyEntries.map((entries) => encodeNames(entries.map(({ name }) => name))), read: (bytes) => ({ again: encodeNames(decodeNames(bytes)) }) },
  { name: 'request', format: 'cbor', refusals: log, valid: requests.map(encodeIndexRequest), read: (bytes) => ({ again: encodeIndexRequest(decodeIndexRequest(bytes)) }) },
  { name: 'answer-parts', format: 'binary', refusals: log, valid: fc.tuple(fc.nat(255), fc.array(blob, { maxLength: 10 })).map(([size, parts]) => Buffer.concat([Buffer.of(size), ...parts.map(encodePart)])), read: readChunks },
  { name: 'leaf-proof', format: 'cbor', refusals: log, valid: fc.record({ leaf: digests, proof: hashes }).map(encodeLeafProof), read: (bytes) => ({ again: encodeLeafProof(decodeLeafProof(bytes)) }) },
  { name: 'bundle', format: 'cbor', refusals: log, valid: fc.record({ announcement: blob, proof: blob }).map(encodeBundle), read: (bytes) => ({ again: encodeBundle(decodeBundle(bytes)) }) },
  { name: 'page-json', format: 'json', head: () => 1, refusals: [InvalidContentError], valid: vectorsOf('json'), read: readPage },
  { name: 'page-html', format: 'text', head: () => 1, refusals: [InvalidContentError], valid: vectorsOf('html'), read: readPage },
  nameProofTarget,
  ...frameTargets,
]; // prettier-ignore

function isKnown(note: Uint8Array): boolean {
  return parseNote(note).signatures.some(({ name, id }) =>
    keys.some((key) => key.name === name && key.id === id),
  );
}

function isSmall({ record }: { readonly record: Uint8Array }): boolean {
  return record.length < 4000;
}

/** Who signed what. */
function readSignedNote(bytes: Uint8Array): Reading {
  const { text, verified } = openNote(bytes, keys);
  return { again: formatNote(parseNote(bytes)), claims: verified.map(({ key }) => `${key.text} ${text}`) };
}

function readCheckpointNote(bytes: Uint8Array): Reading {
  const { checkpoint, signedBy, cosignedBy } = openCheckpoint(bytes, [...keys, witnessKey]);
  const text = formatCheckpoint(checkpoint);
  const again = formatNote({ text, signatures: parseNote(bytes).signatures });
  return { again, claims: [...signedBy, ...cosignedBy].map(({ key }) => `${key.text} ${text}`) };
}

function readKey(bytes: Uint8Array): Reading {
  const key = parseVerifierKey(textOf(bytes));
  const known = Object.values<number>(algorithms).includes(key.algorithm);
  const { text } = known ? createVerifierKey(key.name, key.algorithm, key.publicKey) : key;
  return { again: Buffer.from(text) };
}

function readHeadValue(bytes: Uint8Array): Reading {
  const key = headValueKey(alice.key);
  const { announcement } = verifyHeadValue(key, bytes);
  headValueRules.select(key, [bytes, bytes]);
  return { again: encodeHeadValue(alice.key, announcement), claims: [base64(bytes)] };
}

function readMisconduct(bytes: Uint8Array): Reading {
  claimsMisconduct(bytes);
  const misconduct = verifyMisconduct(bytes);
  return { again: encodeMisconduct(misconduct), claims: misconductClaims(misconduct) };
}

/** How many entries there are, then the entries. */
function readEntries(bytes: Uint8Array): Reading {
  if (bytes.length < 2) throw new InvalidLogError('TILE_MALFORMED', 'is cut off');
  const entries = decodeEntries(bytes.subarray(2), Buffer.from(bytes).readUInt16BE(0));
  return { again: Buffer.concat([u16(entries.length), encodeEntries(entries)]) };
}

function leafClaim(claim: string): string {
  const index = parseInt(claim, 10);
  return `${index} ${(tree.leaves[index] ?? Buffer.alloc(0)).toString('hex')}`;
}

function rootClaim(claim: string): string {
  const size = parseInt(claim, 10);
  return `${size} ${size === 0 ? EMPTY_ROOT : (roots.get(size) ?? tree.root(size))}`;
}
