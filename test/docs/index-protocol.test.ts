/** What docs/protocol.md says of the signed index is what the code does: examples, vectors, tables and names. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { EMPTY_BIN, EMPTY_LEAF, decodeBin, encodeBin } from '../../src/core/index-map/index-bin.ts';
import { EMPTY_DELTA, decodeDelta, encodeDelta } from '../../src/core/index-map/index-delta.ts';
import { MerkleTree } from '../../src/core/index-map/merkle-tree.ts';
import { encodePart } from '../../src/core/index-messages/answer-parts.ts';
import { encodeNumberedBin, partLimits } from '../../src/core/index-messages/index-answers.ts';
import {
  decodeIndexRequest,
  encodeIndexRequest,
  type IndexRequest,
} from '../../src/core/index-messages/index-request.ts';
import { limits } from '../../src/core/limits.ts';
import { openCheckpoint } from '../../src/core/log/checkpoint.ts';
import { verifyMisconduct } from '../../src/core/log/misconduct.ts';
import { headValueKey } from '../../src/core/log/head-value.ts';
import { decodeNameProof } from '../../src/core/log/name-proof.ts';
import { parseVerifierKey } from '../../src/core/log/verifier-key.ts';
import { parseDigest } from '../../src/core/digest.ts';
import {
  encodeIndexRequest as encodeFrame,
  INDEX_PROTOCOL,
  indexFrame,
} from '../../src/network/libp2p/index-frames.ts';
import { indexTopic } from '../../src/network/libp2p/protocol-names.ts';

const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
const vectors = (path: string): unknown =>
  JSON.parse(readFileSync(new URL(`../vectors/${path}.json`, import.meta.url), 'utf8'));

/** Fenced blocks ```hex index NAME and ```text index NAME, by name. */
const blocks = new Map(
  [...page.matchAll(/^```(hex|text) index ([^\n]+)\n(.*?)^```$/gms)].map(
    ([, language = '', name = '', text = '']) => [name, language === 'hex' ? unhex(text) : Buffer.from(text)],
  ),
);
const seen = new Set<string>();

function block(name: string): Buffer {
  seen.add(name);
  return blocks.get(name) ?? assert.fail(`docs/protocol.md has no block "${name}"`);
}

/** Hex digits up to two spaces, after which people read on. */
function unhex(text: string): Buffer {
  const lines = text.trimEnd().split('\n');
  const digits = lines.map((line) => /^([0-9a-f ]+?)(?: {2,}.*)?$/.exec(line)?.[1]?.replaceAll(' ', ''));
  assert.ok(
    digits.every((line) => line !== undefined && line.length % 2 === 0),
    text,
  );
  return Buffer.from(digits.join(''), 'hex');
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Rows of the table whose first column is headed by `head`: cells without the marks of code. */
function table(head: string): string[][] {
  const lines = page.split('\n');
  const at = lines.findIndex((line) => line.startsWith(`| ${head} `));
  assert.ok(at >= 0, `docs/protocol.md has no table "${head}"`);
  const rows = lines.slice(at + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe('the examples of the signed index in docs/protocol.md', () => {
  const { accepted: bins } = vectors('index-map/bins') as { accepted: { cbor: string; number: number }[] };
  const { accepted: deltas } = vectors('index-map/delta') as { accepted: { cbor: string }[] };
  const { emptyRoot } = vectors('index-map/map') as { emptyRoot: string; leavesSha256: string };

  it('of bins are vectors, and what our codec reads and writes', () => {
    const [empty, flask] = [block('the empty bin'), block('bin 47226 with one project')];
    assert.deepEqual(empty, Buffer.from(EMPTY_BIN));
    const bin = decodeBin(flask, 47226);
    assert.deepEqual(
      bin.entries.map(({ name, serial, length }) => [name, serial, length]),
      [['flask', 26_000_000, 12_345]],
    );
    assert.equal(hex(encodeBin(bin)), hex(flask));
    for (const [bytes, number] of [
      [empty, 0],
      [flask, 47226],
    ] as const)
      assert.ok(bins.some((one) => one.cbor === hex(bytes) && one.number === number));
    assert.ok(page.includes(`\`${emptyRoot}\``));
    assert.equal(MerkleTree.ofEqualLeaves(EMPTY_LEAF).root(), emptyRoot);
  });

  it('of deltas are vectors, and what our codec reads and writes', () => {
    const [nothing, everything] = [block('a delta that changes nothing'), block('a delta with everything')];
    assert.equal(hex(encodeDelta(EMPTY_DELTA)), hex(nothing));
    const delta = decodeDelta(everything);
    assert.deepEqual(
      [delta.del, delta.turned, delta.set.length],
      [['0', 'pip', 'sample-3'], [32138, 58904], 2],
    );
    assert.equal(hex(encodeDelta(delta)), hex(everything));
    for (const bytes of [nothing, everything]) assert.ok(deltas.some(({ cbor }) => cbor === hex(bytes)));
  });

  it('of a checkpoint and its place in the DHT are those of one key', () => {
    const place = [...blocks.keys()].find((name) => name.startsWith('the place of ')) ?? '';
    const key = parseVerifierKey(place.slice('the place of '.length));
    assert.equal(hex(block(place)), hex(headValueKey(key)));
    const { checkpoint } = openCheckpoint(block('a checkpoint'), [key]);
    assert.deepEqual([checkpoint.origin, checkpoint.size], [key.name, 5]);
    const { vectors: messages } = vectors('log/messages') as { vectors: { hex: string; kind: string }[] };
    assert.ok(
      messages.some(
        ({ kind, hex: text }) => kind === 'announcement' && text.includes(hex(block('a checkpoint'))),
      ),
    );
  });

  it('of requests are what our codec reads and writes', () => {
    const alice = 'alice.example/log';
    const { leavesSha256 } = vectors('index-map/map') as { leavesSha256: string };
    const requests: [string, IndexRequest][] = [
      [
        "request heads: alice's log above 5, anything of bob's",
        { q: 'heads', sizes: new Map([['bob.example/x', 0], [alice, 5]]) }, // prettier-ignore
      ],
      ["request range: records 5 and 6 of alice's log", { q: 'range', origin: alice, from: 5, to: 7 }],
      [
        'request bins 0 to 3 and 47226',
        { q: 'bins', leaves: parseDigest(leavesSha256), runs: [[0, 3], [47226, 47226]] }, // prettier-ignore
      ],
    ];
    for (const [name, request] of requests) {
      assert.deepEqual(decodeIndexRequest(block(name)), request);
      assert.equal(hex(encodeIndexRequest(request)), hex(block(name)));
    }
    const frame = encodeFrame(encodeIndexRequest({ q: 'bundles', bin: 47226 }));
    assert.equal(hex(block('the frame of a request for the bundles of bin 47226')), hex(frame));
    const bin = encodeBin({ entries: [], partial: true });
    const part = encodePart(encodeNumberedBin({ number: 5, bytes: bin }));
    assert.equal(hex(block('the part with bin 5, which is empty and partial')), hex(part));
  });

  it('are all looked at', () => assert.deepEqual([...seen].sort(), [...blocks.keys()].sort()));
});

describe('the tables of the signed index in docs/protocol.md', () => {
  it('name every key of a record, and no other', () => {
    const { vectors: records } = vectors('log/records') as { vectors: { text: string; error?: string }[] };
    const whole = records
      .filter(({ error }) => error === undefined)
      .map(({ text }) => JSON.parse(text) as object)
      .filter((record) => 'v' in record && record.v === 1);
    const keys = new Set(whole.flatMap((record) => Object.keys(record)));
    const rows = page.slice(page.indexOf('### Record\n'));
    const inRecord = rows.slice(0, rows.indexOf('\n###', 1));
    const all = [...inRecord.matchAll(/^\| (.+?) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, key = '']) => key),
    );
    assert.deepEqual([...new Set(all)].sort(), [...keys].sort());
  });

  it('have every question with the longest part of its answer', () => {
    const units: Record<string, number> = { KiB: 2 ** 10, MiB: 2 ** 20 };
    const said = table('`q`').map((cells) => {
      const [, number, unit = '', more] = /^(\d+) (\w+)(?: and (\d+))?$/.exec(cells.at(-1) ?? '') ?? [];
      return [cells[0]?.replaceAll('`', ''), Number(number) * (units[unit] ?? NaN) + Number(more ?? 0)];
    });
    assert.deepEqual(Object.fromEntries(said), partLimits);
  });

  it('have the frames of the index channel', () => {
    const at = page.indexOf('### Index channel');
    const said = [...page.slice(at).matchAll(/^\| ([0-9a-f]{2}) +\| (\w+) +\|/gm)].map(
      ([, type, name = '']) => [name.toLowerCase(), parseInt(type ?? '', 16)],
    );
    assert.deepEqual(Object.fromEntries(said), indexFrame);
  });

  it('have every kind of misconduct', () => {
    const { vectors: messages } = vectors('log/messages') as {
      vectors: { kind: string; hex: string; error?: string }[];
    };
    const proofs = messages.filter(({ kind, error }) => kind === 'misconduct' && error === undefined);
    const named = table('`t`').map(([kind = '']) => kind.replaceAll('`', ''));
    const proven = proofs.map((proof) => verifyMisconduct(Buffer.from(proof.hex, 'hex')).kind);
    assert.deepEqual(new Set(named), new Set<string>(proven));
  });

  it('and the text have the names on the wire', () => {
    for (const name of [INDEX_PROTOCOL, indexTopic, '/fondue-cp/', '"fondueProof": 1'])
      assert.ok(page.includes(name), name);
    assert.throws(() => decodeNameProof(Buffer.from('{"fondueProof": 2}')));
    assert.equal(limits.belief.votes.perName, 4);
    assert.equal(limits.publish.recordGap, 5000);
    assert.equal(limits.follow.antiEntropyEvery, 30_000);
    assert.equal(limits.publish.dhtEvery, 15 * 60_000);
    assert.equal(limits.follow.gossipGap, 5000);
  });
});
